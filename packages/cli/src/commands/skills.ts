import { Client, type SkillInstalled, type SkillSummary } from '@cmdop/core'
import {
  SkillCategory,
  SkillDetail,
  SkillInstall,
  SkillReview,
  SkillSummary as SkillSummarySchema,
  SkillTag,
  SkillVersion,
} from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { parseCount } from '../numbers.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, printable, say, writeJson, writeStdout } from '../terminal.ts'

/** Items that are listed unless it says how many. */
const LISTED = 50

/** What every `cmdop skills` command takes. */
export interface SkillFlags {
  json?: boolean
  signal: AbortSignal
}

/** What its lists take. */
export interface SkillListFlags extends SkillFlags {
  category?: string
  tag?: string
  search?: string
  ordering?: string
  limit?: string
}

/** `cmdop skills list`: those that your fleet sees. */
export async function listSkillsCommand(flags: SkillListFlags): Promise<number> {
  await using client = new Client()
  const { category, tag } = flags
  // What is no category or order is said by the relay.
  const query = {
    ...placeOf(flags),
    ...(category === undefined ? {} : { category }),
    ...(tag === undefined ? {} : { tag }),
  }
  return showSkills(client.skills.iter(query as Parameters<typeof client.skills.iter>[0]), flags)
}

/** `cmdop skills my`: those that you have made. */
export async function mySkillsCommand(flags: SkillListFlags): Promise<number> {
  await using client = new Client()
  return showSkills(client.skills.iterMy(placeOf(flags) as Parameters<typeof client.skills.iterMy>[0]), flags)
}

/** `cmdop skills get <slug>`: all that is said of one. */
export async function getSkillCommand(slug: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const skill = await client.skills.get(slug, { signal })
  if (json === true) await writeResource(SkillDetail, skill)
  else {
    const { name, latestVersion, visibility, status, starCount, installCount, reviewCount, authorUsername, fleetId } =
      skill
    const lines = [
      `${skill.slug} ${latestVersion ?? '(nothing published)'}: ${name}, ${visibility}, ${status}`,
      `by ${authorUsername} of the fleet ${fleetId}; ${installCount} installed it, ${starCount} stars, ${reviewCount} reviews`,
      ...(skill.shortDescription === '' ? [] : [skill.shortDescription]),
      ...(skill.description.trim() === '' ? [] : ['', skill.description.trim()]),
    ]
    await writeStdout(`${printable(lines.join('\n'))}\n`)
  }
  return exitCodes.ok
}

/** `cmdop skills versions <slug>`. */
export async function skillVersionsCommand(slug: string, flags: SkillListFlags): Promise<number> {
  await using client = new Client()
  const items = await taken(client.skills.iterVersions(slug, { signal: flags.signal }), flags)
  if (flags.json === true) await writeResource(SkillVersion, { items })
  else {
    const rows = items.map((row) => [
      row.version,
      row.createdAt,
      String(row.size),
      row.sha256.slice(0, 16),
      row.changelog ?? '',
    ])
    await writeStdout(formatTable(['VERSION', 'PUBLISHED', 'BYTES', 'SHA-256', 'CHANGES'], rows))
  }
  return exitCodes.ok
}

/** `cmdop skills reviews <slug>`: what people say of it. */
export async function skillReviewsCommand(slug: string, flags: SkillListFlags): Promise<number> {
  await using client = new Client()
  const query = placeOf(flags) as Parameters<typeof client.skills.iterReviews>[1]
  const items = await taken(client.skills.iterReviews(slug, query), flags)
  if (flags.json === true) await writeResource(SkillReview, { items })
  else
    await writeStdout(
      formatTable(
        ['AUTHOR', 'WRITTEN', 'REVIEW'],
        items.map((row) => [row.authorDisplayName, row.createdAt, row.body.replaceAll('\n', ' ')]),
      ),
    )
  return exitCodes.ok
}

/** `cmdop skills categories` and `cmdop skills tags`. */
export async function skillWordsCommand(what: 'categories' | 'tags', flags: SkillListFlags): Promise<number> {
  await using client = new Client()
  const query = placeOf(flags) as Parameters<typeof client.skills.iterTags>[0]
  if (what === 'categories') {
    const items = await taken(client.skills.iterCategories(query), flags)
    if (flags.json === true) await writeResource(SkillCategory, { items })
    else
      await writeStdout(
        formatTable(
          ['CATEGORY', 'NAME'],
          items.map(({ slug, name }) => [slug, name]),
        ),
      )
    return exitCodes.ok
  }
  const items = await taken(client.skills.iterTags(query), flags)
  if (flags.json === true) await writeResource(SkillTag, { items })
  else
    await writeStdout(
      formatTable(
        ['TAG', 'SKILLS'],
        items.map(({ slug, skillCount = 0 }) => [slug, String(skillCount)]),
      ),
    )
  return exitCodes.ok
}

/** What `cmdop skills install` takes. */
export interface SkillInstallFlags extends SkillFlags {
  machine?: string[]
  version?: string
  sha256?: string
  check?: boolean
}

/** `cmdop skills install <slug> --machine <machine...>`. Exit code 1 where a `run_check` says that it does not work. */
export async function installSkillCommand(slug: string, flags: SkillInstallFlags): Promise<number> {
  const { machine: machines, version, sha256, check = true, json, signal } = flags
  await using client = new Client()
  const options = {
    signal,
    check,
    ...(version === undefined ? {} : { version }),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
  if (machines === undefined) {
    const record = await client.skills.install(slug, options)
    if (json === true) await writeResource(SkillInstall, record)
    else
      await say(
        `${slug} ${record.version} of the fleet ${record.fleetId} is as it was published; name machines with --machine to install it${
          record.runCheck === null ? '' : `, and to run its check there: ${record.runCheck}`
        }`,
      )
    return exitCodes.ok
  }
  const items: SkillInstalled[] = []
  for (const machine of machines) {
    const onCheck = (command: string) => void say(`the check of ${slug} runs on ${machine}: ${command}`)
    const installed = await client.skills.install(slug, {
      ...options,
      machine,
      ...(json === true ? {} : { onCheck }),
    })
    items.push(installed)
    if (json !== true) await say(installedLine(installed))
  }
  if (json === true) await writeJson({ items })
  return items.some(({ check: said }) => said?.ok === false) ? exitCodes.failed : exitCodes.ok
}

/** `cmdop skills uninstall <slug> --machine <machine...>`. */
export async function uninstallSkillCommand(
  slug: string,
  { machine: machines, json, signal }: SkillFlags & { machine: string[] },
): Promise<number> {
  await using client = new Client()
  const items: { machine: string; removed: boolean }[] = []
  for (const machine of machines)
    items.push({ machine, removed: await client.skills.uninstall(slug, { machine, signal }) })
  if (json === true) await writeJson({ items })
  else
    for (const { machine, removed } of items)
      await say(removed ? `${slug} is removed from ${machine}` : `${slug} was not on ${machine}`)
  return exitCodes.ok
}

/** `cmdop skills installed <machine>`: what is installed there, each looked through. */
export async function installedSkillsCommand(machine: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const items = await client.skills.installed(machine, { signal })
  if (json === true) await writeJson({ items })
  else {
    const rows = items.map(({ name, version, state, missing, tools, description }) => {
      return [name, version, state, lacksOf(missing).join(','), tools.map((tool) => tool.name).join(','), description]
    })
    await writeStdout(formatTable(['SKILL', 'VERSION', 'STATE', 'MISSING', 'TOOLS', 'WHAT FOR'], rows))
  }
  return exitCodes.ok
}

function installedLine({
  slug,
  fleetId,
  version,
  machineName,
  replaced,
  missing,
  runCheck,
  check,
}: SkillInstalled): string {
  const before = replaced === null ? '' : ` in place of ${replaced}`
  const lacks = lacksOf(missing)
  const needs = lacks.length === 0 ? '' : `; it requires ${lacks.join(', ')}`
  const unchecked = runCheck === null ? '' : `; its check was not run: ${runCheck}`
  const checked = check === null ? unchecked : check.ok ? '; it works there' : `; its check failed: ${reasonOf(check)}`
  return `${slug} ${version} of the fleet ${fleetId} is on ${machineName}${before}${needs}${checked}`
}

/** What is missing, a word or two each. */
function lacksOf({ bins, env, versions }: SkillInstalled['missing']): string[] {
  return [...bins, ...env, ...versions.map(({ bin, range }) => `${bin} ${range}`)]
}

function reasonOf({ error, exitCode, stderr, stdout }: NonNullable<SkillInstalled['check']>): string {
  return error?.message ?? `exit code ${exitCode} ${(stderr.trim() || stdout.trim()).slice(0, 500)}`
}

async function showSkills(all: AsyncIterable<SkillSummary>, flags: SkillListFlags): Promise<number> {
  const items = await taken(all, flags)
  if (flags.json === true) await writeResource(SkillSummarySchema, { items })
  else {
    const rows = items.map(({ slug, status, visibility, category, starCount, installCount, shortDescription }) => [
      slug,
      status,
      visibility,
      category ?? '',
      String(starCount),
      String(installCount),
      shortDescription,
    ])
    await writeStdout(formatTable(['SKILL', 'STATUS', 'SEEN BY', 'CATEGORY', 'STARS', 'INSTALLED', 'WHAT FOR'], rows))
  }
  return exitCodes.ok
}

function placeOf({ search, ordering, signal }: SkillListFlags) {
  return { signal, ...(search === undefined ? {} : { search }), ...(ordering === undefined ? {} : { ordering }) }
}

async function taken<Item>(all: AsyncIterable<Item>, { limit }: SkillListFlags): Promise<Item[]> {
  const most = limit === undefined ? LISTED : parseCount('--limit', limit)
  const items: Item[] = []
  for await (const item of all) {
    items.push(item)
    if (items.length >= most) break
  }
  return items
}
