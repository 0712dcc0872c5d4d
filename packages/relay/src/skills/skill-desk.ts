import { CmdopError, MAX_FLEET_SKILLS, readSkill, type SkillInstall, type SkillUpdate } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { SkillChange, SkillFileRow, SkillRow, SkillStore } from '../store/skill-store.ts'
import { latestOf } from './publish-skill.ts'

/** The skill that a caller means. Throws `not_found`: also for one that it does not see. */
export async function findSkill(
  store: SkillStore,
  { fleetId }: Pick<Caller, 'fleetId'>,
  slug: string,
): Promise<SkillRow> {
  const skill = await store.find(fleetId, slug)
  if (skill === undefined) throw new CmdopError('not_found', `There is no skill ${slug} that your fleet sees.`)
  return skill
}

/** The skill, for who may change it: its author, and owners and admins of its fleet. Throws `not_found`, `permission`. */
export async function findOwnSkill(store: SkillStore, caller: Caller, slug: string): Promise<SkillRow> {
  const skill = await findSkill(store, caller, slug)
  if (skill.fleetId !== caller.fleetId)
    throw new CmdopError('permission', `The skill ${slug} is of another fleet, which alone changes it.`)
  if (skill.authorId === caller.principalId || isAdmin(caller)) return skill
  throw new CmdopError('permission', `Only the author of ${slug}, and owners and admins of the fleet, may change it.`)
}

/** Makes an empty skill of a name. Throws `conflict`. */
export async function createSkill(store: SkillStore, caller: Caller, name: string): Promise<SkillRow> {
  const { fleetId, principalId: authorId, principal } = caller
  if ((await store.count(fleetId)) >= MAX_FLEET_SKILLS)
    throw new CmdopError('conflict', `A fleet has at most ${MAX_FLEET_SKILLS} skills; delete one first.`)
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  // `GET /skills/my/` is the list of one's own.
  if (slug === 'my') throw new CmdopError('validation', 'Expected another name: my is the address of your own skills.')
  const createdAt = new Date().toISOString()
  const skill = { id: newId('skl_'), fleetId, slug, name, authorId, authorName: principal.name, createdAt }
  await store
    .create(skill)
    .catch(asTaken(`Your fleet has a skill ${slug} already; publish a version of it, or choose another name.`))
  return await findSkill(store, caller, slug)
}

/** Changes what can be changed by hand. Throws `conflict`, `permission`. */
export async function updateSkill(
  store: SkillStore,
  caller: Caller,
  { skill, change }: { readonly skill: SkillRow; readonly change: SkillUpdate },
): Promise<SkillRow> {
  const { repository_url: repositoryUrl, ...rest } = change
  const becomes = withoutAbsent({ ...rest, repositoryUrl })
  const { status = skill.status } = becomes
  if (status !== skill.status && (status === 'suspended' || skill.status === 'suspended') && !isAdmin(caller))
    throw new CmdopError('permission', 'Only owners and admins of the fleet suspend a skill, or take that back.')
  if (status === 'published' && skill.latestVersion === null)
    throw new CmdopError('conflict', `Nothing of ${skill.slug} is published yet; publish a version first.`)
  const updatedAt = new Date().toISOString()
  await store
    .update(skill.id, { ...becomes, updatedAt })
    .catch(
      asTaken(
        `The name ${skill.slug} is, or was, that of a public skill of another fleet (or your fleet has made very many public); this one can only be private.`,
      ),
    )
  return { ...skill, ...becomes, updatedAt }
}

/** What it takes to install a version, and the note that it was asked for. Throws `not_found`, `conflict`. */
export async function installRecord(
  store: SkillStore,
  caller: Caller,
  {
    skill,
    version: asked,
    from,
  }: { readonly skill: SkillRow; readonly version: string | undefined; readonly from: string },
): Promise<SkillInstall> {
  const { slug, id: skillId } = skill
  if (skill.status !== 'published')
    throw new CmdopError('conflict', `The skill ${slug} is ${skill.status}; it cannot be installed.`)
  const version = asked ?? latestOf(await store.versionNames(skillId))
  const row = await store.getVersion(skillId, version)
  if (row === undefined) throw new CmdopError('not_found', `There is no version ${version} of ${slug}.`)
  const files = await store.files(row.id)
  const at = new Date().toISOString()
  const { installedAt, isFirst } = await store.noteInstall({ skillId, principalId: caller.principalId, version, at })
  const { manifest, sha256, skillMd, readme } = row
  return {
    slug,
    fleet_id: skill.fleetId,
    version,
    sha256,
    model: manifest.model ?? null,
    install_command: `cmdop skills install ${slug} --version ${version} --machine <machine>`,
    readme,
    skill_md: skillMd,
    files: files.map(sentFile),
    packages: manifest.packages,
    run_check: manifest.run_check ?? null,
    meta: {
      installed_at: installedAt,
      installed_from: from,
      installed_version: version,
      updated_at: isFirst ? null : at,
    },
  }
}

/** What comes after the front matter of a `SKILL.md` that was published. */
export function bodyOf(skillMd: string | undefined): string {
  return skillMd === undefined ? '' : readSkill(skillMd).body
}

/** Text as text, where it is. */
function sentFile({ content, ...file }: SkillFileRow): SkillInstall['files'][number] {
  const bytes = Buffer.from(content, 'base64')
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes)
    ? { ...file, content: text, encoding: 'utf8' }
    : { ...file, content, encoding: 'base64' }
}

function isAdmin({ role }: Caller): boolean {
  return role === 'owner' || role === 'admin'
}

function withoutAbsent(given: { [Name in keyof SkillChange]: SkillChange[Name] | undefined }): SkillChange {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function asTaken(message: string): (error: unknown) => never {
  return (cause) => {
    if (cause instanceof CmdopError && cause.code === 'conflict') throw new CmdopError('conflict', message, { cause })
    throw cause
  }
}
