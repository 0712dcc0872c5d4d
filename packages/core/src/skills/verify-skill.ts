import { CmdopError, checkSkillFiles, invalidSkill, skillDigestText } from '@cmdop/protocol'
import type { SkillInstall } from '../resources.ts'

/**
 * Looks whether the files of an install record are what its digests say, and are a skill of that name and version at all. Throws
 * `integrity` for a file or a whole that is something else, and `validation`. `sha256`: the digest that is expected, where it is known.
 */
export async function verifySkill(record: SkillInstall, sha256 = record.sha256): Promise<void> {
  const checked = checkSkillFiles(record.files)
  if ('issues' in checked) throw invalidSkill(checked.issues)
  const announced = new Map(record.files.map((file) => [file.path, file]))
  const entries = []
  for (const { path, executable, data } of checked.files) {
    const entry = { path, executable, size: data.length, sha256: await digestOf(data) }
    const file = announced.get(path)
    if (file?.sha256 !== entry.sha256 || file.size !== entry.size)
      throw notAsAnnounced(record, `its file ${path} has SHA-256 ${entry.sha256}, not ${file?.sha256}`)
    entries.push(entry)
  }
  const whole = await digestOf(new TextEncoder().encode(skillDigestText(entries)))
  if (whole !== sha256 || record.sha256 !== sha256)
    throw notAsAnnounced(record, `its files have the digest ${whole}, not ${sha256}`)
  const { name, version, run_check: runCheck = null } = checked.manifest
  if (name !== record.slug || version !== record.version)
    throw notAsAnnounced(record, `its files say that they are ${name} ${version}`)
  if (record.skillMd !== checked.text || record.runCheck !== runCheck)
    throw notAsAnnounced(record, 'what is said of it beside its files is not what its files say')
}

function notAsAnnounced({ slug, version }: SkillInstall, what: string): CmdopError {
  const message = `The skill ${slug} ${version} did not arrive as it was published: ${what}. Nothing was installed.`
  return new CmdopError('integrity', message, { details: { slug, version } })
}

/** The platform's own, which a browser has too. */
async function digestOf(data: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(data)))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
