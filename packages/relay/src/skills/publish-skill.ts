import { hash } from 'node:crypto'
import {
  type CheckedSkill,
  checkSkillFiles,
  CmdopError,
  compareVersions,
  invalidSkill,
  MAX_SKILL_VERSIONS,
  SKILL_FILE,
  skillDigestText,
  type SkillFile,
  type SkillIssue,
  type SkillPublish,
  type SkillPublished,
} from '@cmdop/protocol'
import type { z } from 'zod'
import { newId } from '../auth/secrets.ts'
import type { SkillFileRow, SkillRow, SkillStore } from '../store/skill-store.ts'

type Body = z.output<typeof SkillPublish>

/**
 * Looks at what is to be published, and keeps it as a version that never changes. The same again is no error. Throws `validation` with
 * the issues in `details`, which `publish-status` gives from then on, and `conflict` for a version that had other files.
 */
export async function publishSkill(
  store: SkillStore,
  skill: SkillRow,
  { body, authorId }: { readonly body: Body; readonly authorId: string },
): Promise<SkillPublished> {
  const at = new Date().toISOString()
  const checked = checkedSkill(skill, body)
  if ('issues' in checked) {
    const errors = [...checked.issues]
    await store.notePublication(skill.id, { version: null, sha256: null, errors, at })
    throw invalidSkill(errors)
  }
  const { manifest, text: skillMd } = checked
  const { version } = manifest
  const files = checked.files.map(fileRow)
  const sha256 = hash('sha256', skillDigestText(files))
  const size = files.reduce((sum, file) => sum + file.size, 0)
  const described = { shortDescription: manifest.description, tags: [...new Set(manifest.tags)] }
  const becomes = (before: readonly string[]) => {
    if (!before.includes(version) && before.length >= MAX_SKILL_VERSIONS)
      throw new CmdopError('conflict', `A skill has at most ${MAX_SKILL_VERSIONS} versions; make another skill.`)
    const latestVersion = latestOf([...before, version])
    return { latestVersion, ...(latestVersion === version ? described : {}) }
  }
  const written = { skillMd, readme: readmeOf(checked, body), changelog: body.changelog ?? null }
  const row = {
    id: newId('skv_'),
    skillId: skill.id,
    version,
    sha256,
    size,
    manifest,
    ...written,
    authorId,
    createdAt: at,
  }
  await store.addVersion(skill, { ...row, files }, becomes)
  return { status: skill.status === 'suspended' ? 'suspended' : 'published', version, sha256 }
}

/** The version that is meant where none is named: the highest one that is no pre-release, else the highest one. Throws for none. */
export function latestOf(versions: readonly string[]): string {
  const stable = versions.filter((version) => !version.split('+', 1)[0]?.includes('-'))
  const sorted = (stable.length > 0 ? stable : [...versions]).toSorted(
    (one, other) => compareVersions(one, other) || (one < other ? -1 : 1),
  )
  const latest = sorted.at(-1)
  if (latest === undefined) throw new CmdopError('conflict', 'Nothing of this skill is published yet.')
  return latest
}

function checkedSkill({ slug }: SkillRow, body: Body): CheckedSkill | { readonly issues: readonly SkillIssue[] } {
  const files = withText(body)
  if ('issues' in files) return files
  const checked = checkSkillFiles(files)
  if ('issues' in checked || checked.manifest.name === slug) return checked
  const message = `Its name is ${checked.manifest.name}, and the skill is ${slug}: they have to be the same.`
  return { issues: [{ path: SKILL_FILE, line: 2, message }] }
}

/** The files, `SKILL.md` among them. */
function withText({ files, skill_md, raw_manifest }: Body): SkillFile[] | { issues: SkillIssue[] } {
  const given = files.find(({ path }) => path === SKILL_FILE)
  if (skill_md === undefined && raw_manifest === undefined) return files
  if (given !== undefined && raw_manifest === undefined && given.encoding === 'utf8' && given.content === skill_md)
    return files
  if (given !== undefined)
    return { issues: [{ path: SKILL_FILE, message: 'It is among the files, and given by itself too; give it once.' }] }
  const text = skill_md ?? ''
  if (raw_manifest !== undefined && text.startsWith('---'))
    return {
      issues: [{ path: SKILL_FILE, line: 1, message: 'It has front matter, and raw_manifest is given too; give one.' }],
    }
  const content = raw_manifest === undefined ? text : `---\n${raw_manifest.trimEnd()}\n---\n\n${text}`
  return [...files, { path: SKILL_FILE, content, encoding: 'utf8', executable: false }]
}

function fileRow({ path, executable, data }: CheckedSkill['files'][number]): SkillFileRow {
  const content = Buffer.from(data)
  return {
    path,
    executable,
    size: content.length,
    sha256: hash('sha256', content),
    content: content.toString('base64'),
  }
}

function readmeOf({ files }: CheckedSkill, { readme }: Body): string | null {
  const file = files.find(({ path }) => path === 'README.md')
  return readme ?? (file === undefined ? null : Buffer.from(file.data).toString())
}
