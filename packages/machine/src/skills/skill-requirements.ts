import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { CmdopError, requiredBins, type SkillManifest, type SkillMissing } from '@cmdop/protocol'

type Environment = Readonly<Record<string, string | null | undefined>>

/** What a skill requires and is not there: programs on the PATH, variables that are set. */
export async function missingOf(manifest: SkillManifest, environment: Environment): Promise<SkillMissing> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  const bins = await Promise.all(requiredBins(manifest).map(async (bin) => ((await isOn(folders, bin)) ? [] : [bin])))
  const env = manifest.requires.env.filter((name) => (environment[name] ?? '') === '')
  return { bins: bins.flat(), env }
}

/** Throws `command_not_found` or `config` with all that is missing, by name. */
export async function assertRequirements(manifest: SkillManifest, environment: Environment): Promise<void> {
  const missing = await missingOf(manifest, environment)
  const { bins, env } = missing
  if (bins.length === 0 && env.length === 0) return
  const programs =
    bins.length === 0 ? [] : [`the programs ${bins.join(', ')}, which are not on the PATH of the machine`]
  const variables = env.length === 0 ? [] : [`the variables ${env.join(', ')}, which are not set; give them with env`]
  throw new CmdopError(
    bins.length > 0 ? 'command_not_found' : 'config',
    `The skill ${manifest.name} requires ${[...programs, ...variables].join(', and ')}. Nothing ran.`,
    { details: { skill: manifest.name, missing } },
  )
}

async function isOn(folders: readonly string[], bin: string): Promise<boolean> {
  for (const folder of folders) {
    const path = join(folder, bin)
    const isThere = await access(path, constants.X_OK).then(
      () => stat(path),
      () => undefined,
    )
    if (isThere?.isFile() === true) return true
  }
  return false
}
