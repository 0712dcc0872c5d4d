import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable, Repeatable } from '../cancellable.ts'
import type { Machine } from '../machine.ts'
import { itemsOf, numberedPages, onePage } from '../pages.ts'
import type * as resources from '../resources.ts'
import type { RestClient } from '../rest-client.ts'
import { type FromWire, toQuery, toWire, type ToWire } from '../wire-names.ts'
import type { SkillCheck, SkillRun, SkillRunOptions } from './machine-skills.ts'
import { verifySkill } from './verify-skill.ts'

/** Which skills, and which page of them. */
export type SkillQuery = Partial<FromWire<wire.SkillListQuery>>
/** Which of one's own. */
export type MySkillQuery = Partial<FromWire<wire.SkillMyQuery>>
/** Which page. */
export type SkillPageQuery = Partial<FromWire<wire.SkillPageQuery>>
/** Which reviews. */
export type SkillReviewQuery = Partial<FromWire<wire.SkillReviewQuery>>
/** Which categories or tags. */
export type SkillWordQuery = Partial<FromWire<wire.SkillWordQuery>>

/** What is to be installed, and where. */
export interface SkillInstallOptions extends Cancellable {
  /** Default: the highest one that is no pre-release. */
  readonly version?: string
  /** The digest that it has to have, where you know it from elsewhere. */
  readonly sha256?: string
  /** Id, hostname, name or unique prefix. Without it the files are only given. */
  readonly machine?: string | undefined
  /** False: the `run_check` of the skill is not run. */
  readonly check?: boolean
  /** Is told that `run_check`, the line that `/bin/sh` is given, before it runs. */
  readonly onCheck?: ((command: string) => void) | undefined
}

/** A skill that was put on a machine. */
export interface SkillInstalled {
  readonly slug: string
  /** The fleet that publishes it, as the registry says. */
  readonly fleetId: string
  readonly version: string
  readonly sha256: string
  readonly machineId: string
  readonly machineName: string
  /** The version that was there before; null for none. */
  readonly replaced: string | null
  /** What it requires and the machine has not got. */
  readonly missing: wire.SkillMissing
  /** The line that says whether it works there, whether it was run or not; null where it has none. */
  readonly runCheck: string | null
  /** What its `run_check` says; null where it has none, or it was not to be run. */
  readonly check: SkillCheck | null
}

type FindMachine = (reference: string, options: Cancellable) => Promise<Machine>

const platform = { plane: 'platform' } as const

/** `client.skills`: the registry of skills, and what is installed of it. Its calls are for the platform, with `apiKey`. */
export class SkillsNamespace {
  readonly #rest: RestClient
  readonly #machine: FindMachine

  constructor(rest: RestClient, machine: FindMachine) {
    this.#rest = rest
    this.#machine = machine
  }

  /** One page of those that your fleet sees: its own, and what is public. */
  list({ signal, ...given }: SkillQuery & Cancellable = {}): Promise<resources.SkillListPage> {
    const query = toQuery(wire.SkillListQuery, given)
    return this.#rest.call({ ...platform, method: 'GET', path: '/skills/', query, answer: wire.SkillListPage, signal })
  }

  /** All of them, page by page as they are needed. */
  iter(query: SkillQuery & Cancellable = {}): AsyncGenerator<resources.SkillSummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page of them. */
  pages(query: SkillQuery & Cancellable = {}): AsyncGenerator<resources.SkillListPage> {
    return numberedPages((page) => this.list({ ...query, page }))
  }

  /** A skill with all that is said of it. Throws `not_found`, also for one that your fleet does not see. */
  get(slug: string, { lang, signal }: Cancellable & { lang?: string } = {}): Promise<resources.SkillDetail> {
    const query = lang === undefined ? {} : { lang }
    return this.#rest.call({ ...platform, method: 'GET', path: pathOf(slug), query, answer: wire.SkillDetail, signal })
  }

  /** One page of those that you have made. */
  my({ signal, ...given }: MySkillQuery & Cancellable = {}): Promise<resources.SkillListPage> {
    const query = toQuery(wire.SkillMyQuery, given)
    return this.#rest.call({
      ...platform,
      method: 'GET',
      path: '/skills/my/',
      query,
      answer: wire.SkillListPage,
      signal,
    })
  }

  /** All that you have made. */
  iterMy(query: MySkillQuery & Cancellable = {}): AsyncGenerator<resources.SkillSummary> {
    return itemsOf(this.pagesMy(query), ({ id }) => id, query)
  }

  /** Every page of them. */
  pagesMy(query: MySkillQuery & Cancellable = {}): AsyncGenerator<resources.SkillListPage> {
    return numberedPages((page) => this.my({ ...query, page }))
  }

  /** All that it takes to install a version, looked through. Throws `not_found`, `conflict`, and `integrity` for files that are not as they were published. */
  install(
    slug: string,
    options?: Omit<SkillInstallOptions, 'machine'> & { machine?: undefined },
  ): Promise<resources.SkillInstall>
  /** Puts a version on a machine, which looks through it again, and runs its `run_check` there. Throws what `machine.skills.install` does, too. */
  install(slug: string, options: SkillInstallOptions & { machine: string }): Promise<SkillInstalled>
  async install(
    slug: string,
    { version, sha256, machine: reference, check = true, onCheck, signal }: SkillInstallOptions = {},
  ): Promise<resources.SkillInstall | SkillInstalled> {
    const machine = reference === undefined ? undefined : await this.#machine(reference, { signal })
    const record = await this.#rest.call({
      ...platform,
      method: 'POST',
      path: `${pathOf(slug)}install/`,
      query: version === undefined ? {} : { version },
      answer: wire.SkillInstall,
      isRepeatable: true,
      signal,
    })
    if (record.slug !== slug || (version !== undefined && record.version !== version))
      throw new wire.CmdopError(
        'integrity',
        `The registry gave ${record.slug} ${record.version}, which was not asked for.`,
      )
    await verifySkill(record, sha256)
    return machine === undefined ? record : installOn(machine, record, { check, onCheck, signal })
  }

  /** Takes a skill from a machine. False when it was not there. */
  async uninstall(slug: string, { machine, signal }: Cancellable & { machine: string }): Promise<boolean> {
    return skillsOf(await this.#machine(machine, { signal })).uninstall(slug, { signal })
  }

  /** What is installed on a machine, each looked through. */
  async installed(machine: string, { signal }: Cancellable = {}): Promise<wire.InstalledSkill[]> {
    return skillsOf(await this.#machine(machine, { signal })).list({ signal })
  }

  /** Each of them. */
  iterInstalled(machine: string, options: Cancellable = {}): AsyncGenerator<wire.InstalledSkill> {
    return itemsOf(this.pagesInstalled(machine, options), ({ name }) => name, options)
  }

  /** Every page: all are on one. */
  pagesInstalled(machine: string, options: Cancellable = {}): AsyncGenerator<wire.InstalledSkillList> {
    return onePage(async () => ({ items: await this.installed(machine, options) }))
  }

  /** Runs a tool of a skill that is installed on a machine; see `machine.skills.run`. */
  async run<Schema extends z.ZodType = z.ZodType<Record<string, unknown>>>(
    slug: string,
    tool: string,
    input: Readonly<Record<string, unknown>>,
    { machine, ...options }: SkillRunOptions<Schema> & { machine: string },
  ): Promise<SkillRun<z.output<Schema>>> {
    const { signal } = options
    return skillsOf(await this.#machine(machine, { signal })).run(slug, tool, input, options)
  }

  /** Stars a skill, or takes the star back. */
  star(slug: string, { signal }: Cancellable = {}): Promise<resources.SkillStar> {
    return this.#rest.call({
      ...platform,
      method: 'POST',
      path: `${pathOf(slug)}star/`,
      answer: wire.SkillStar,
      signal,
    })
  }

  /** One page of its versions, the newest first. */
  versions(slug: string, { signal, ...given }: SkillPageQuery & Cancellable = {}): Promise<resources.SkillVersionList> {
    const query = toQuery(wire.SkillPageQuery, given)
    const path = `${pathOf(slug)}versions/`
    return this.#rest.call({ ...platform, method: 'GET', path, query, answer: wire.SkillVersionList, signal })
  }

  /** All its versions. */
  iterVersions(slug: string, query: SkillPageQuery & Cancellable = {}): AsyncGenerator<resources.SkillVersion> {
    return itemsOf(this.pagesVersions(slug, query), ({ id }) => id, query)
  }

  /** Every page of them. */
  pagesVersions(slug: string, query: SkillPageQuery & Cancellable = {}): AsyncGenerator<resources.SkillVersionList> {
    return numberedPages((page) => this.versions(slug, { ...query, page }))
  }

  /** One page of what people say of it. */
  reviews(slug: string, { signal, ...given }: SkillReviewQuery & Cancellable = {}): Promise<resources.SkillReviewPage> {
    const query = toQuery(wire.SkillReviewQuery, given)
    const path = `${pathOf(slug)}reviews/`
    return this.#rest.call({ ...platform, method: 'GET', path, query, answer: wire.SkillReviewPage, signal })
  }

  /** All that people say of it. */
  iterReviews(slug: string, query: SkillReviewQuery & Cancellable = {}): AsyncGenerator<resources.SkillReview> {
    return itemsOf(this.pagesReviews(slug, query), ({ id }) => id, query)
  }

  /** Every page of it. */
  pagesReviews(slug: string, query: SkillReviewQuery & Cancellable = {}): AsyncGenerator<resources.SkillReviewPage> {
    return numberedPages((page) => this.reviews(slug, { ...query, page }))
  }

  /** Says what it is worth. It takes the place of what you said before. */
  review(slug: string, body: string, { signal }: Cancellable = {}): Promise<resources.SkillReview> {
    const path = `${pathOf(slug)}reviews/`
    return this.#rest.call({
      ...platform,
      method: 'POST',
      path,
      body: { body },
      answer: wire.SkillReview,
      isRepeatable: true,
      signal,
    })
  }

  /** Makes an empty skill. Throws `conflict` when your fleet has one of that name. */
  create(name: string, { signal, idempotencyKey }: Repeatable = {}): Promise<resources.SkillCreated> {
    return this.#rest.call({
      ...platform,
      method: 'POST',
      path: '/skills/',
      body: { name },
      answer: wire.SkillCreated,
      signal,
      idempotencyKey,
    })
  }

  /** Changes what is said of it. What is left out stays; `null` takes it away. Throws `permission`, `conflict`. */
  update(
    slug: string,
    change: ToWire<typeof wire.SkillUpdate>,
    { signal }: Cancellable = {},
  ): Promise<resources.SkillUpdated> {
    const body = toWire(wire.SkillUpdate, change)
    return this.#rest.call({
      ...platform,
      method: 'PATCH',
      path: pathOf(slug),
      body,
      answer: wire.SkillUpdated,
      signal,
    })
  }

  /** Deletes it with its versions. What was installed stays. */
  async delete(slug: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ ...platform, method: 'DELETE', path: pathOf(slug), answer: z.null(), signal })
  }

  /**
   * Publishes a version, which never changes; the same again is no error. Throws `validation` with `details.issues` (`path`, `line`,
   * `message`), and `conflict` for a version that had other files.
   */
  publish(
    slug: string,
    given: ToWire<typeof wire.SkillPublish>,
    { signal }: Cancellable = {},
  ): Promise<resources.SkillPublished> {
    const body = toWire(wire.SkillPublish, given)
    const path = `${pathOf(slug)}publish/`
    return this.#rest.call({
      ...platform,
      method: 'POST',
      path,
      body,
      answer: wire.SkillPublished,
      isRepeatable: true,
      signal,
    })
  }

  /** How the last publication went, with what was wrong. */
  publishStatus(slug: string, { signal }: Cancellable = {}): Promise<resources.SkillPublishStatus> {
    const path = `${pathOf(slug)}publish-status/`
    return this.#rest.call({ ...platform, method: 'GET', path, answer: wire.SkillPublishStatus, signal })
  }

  /** One page of what skills can be about. */
  categories({ signal, ...given }: SkillWordQuery & Cancellable = {}): Promise<resources.SkillCategoryList> {
    const query = toQuery(wire.SkillWordQuery, given)
    return this.#rest.call({
      ...platform,
      method: 'GET',
      path: '/categories/',
      query,
      answer: wire.SkillCategoryList,
      signal,
    })
  }

  /** All of it. */
  iterCategories(query: SkillWordQuery & Cancellable = {}): AsyncGenerator<resources.SkillCategory> {
    return itemsOf(this.pagesCategories(query), ({ id }) => id, query)
  }

  /** Every page of it. */
  pagesCategories(query: SkillWordQuery & Cancellable = {}): AsyncGenerator<resources.SkillCategoryList> {
    return numberedPages((page) => this.categories({ ...query, page }))
  }

  /** One page of the words that skills are found by. */
  tags({ signal, ...given }: SkillWordQuery & Cancellable = {}): Promise<resources.SkillTagList> {
    const query = toQuery(wire.SkillWordQuery, given)
    return this.#rest.call({ ...platform, method: 'GET', path: '/tags/', query, answer: wire.SkillTagList, signal })
  }

  /** All of them. */
  iterTags(query: SkillWordQuery & Cancellable = {}): AsyncGenerator<resources.SkillTag> {
    return itemsOf(this.pagesTags(query), ({ id }) => id, query)
  }

  /** Every page of them. */
  pagesTags(query: SkillWordQuery & Cancellable = {}): AsyncGenerator<resources.SkillTagList> {
    return numberedPages((page) => this.tags({ ...query, page }))
  }
}

function pathOf(slug: string): string {
  // An address would take these for the folder above.
  if (/^\.{0,2}$/.test(slug)) throw new wire.CmdopError('validation', 'Expected the slug of a skill.')
  return `/skills/${encodeURIComponent(slug)}/`
}

function skillsOf({ skills, name }: Machine) {
  if (skills !== undefined) return skills
  throw new wire.CmdopError('unsupported', `The machine ${name} has no skills.`)
}

async function installOn(
  machine: Machine,
  { slug, fleetId, version, sha256, files, meta }: resources.SkillInstall,
  { check, onCheck, signal }: Cancellable & Pick<SkillInstallOptions, 'onCheck'> & { readonly check: boolean },
): Promise<SkillInstalled> {
  const skills = skillsOf(machine)
  const sent = files.map(({ path, content, encoding, executable }) => ({ path, content, encoding, executable }))
  const { replaced } = await skills.install(
    { name: slug, version, sha256, files: sent, from: meta.installedFrom },
    { signal },
  )
  const { missing, runCheck, sha256: there, version: other } = await skills.get(slug, { signal })
  if (there !== sha256)
    throw new wire.CmdopError(
      'conflict',
      `${slug} ${version} was installed on ${machine.name}, and somebody installed ${other} in its place meanwhile.`,
    )
  const checked = check ? await skills.check(slug, { onCheck, ...(signal === undefined ? {} : { signal }) }) : null
  return {
    slug,
    fleetId,
    version,
    sha256,
    machineId: machine.id,
    machineName: machine.name,
    replaced,
    missing,
    runCheck,
    check: checked,
  }
}
