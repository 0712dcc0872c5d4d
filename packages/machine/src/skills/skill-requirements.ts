import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import {
  CmdopError,
  isVersionIn,
  requiredBins,
  requiredVersions,
  type SkillManifest,
  type SkillMissing,
} from '@cmdop/protocol'
import { ProgramVersions } from './program-versions.ts'

type Environment = Readonly<Record<string, string | null | undefined>>

/** Where a skill would run. */
export interface SkillSurroundings {
  /** What its commands start with. */
  readonly environment: Environment
  /** What the daemon's own commands start with. Only programs on this PATH are asked for their versions. */
  readonly own: Readonly<Record<string, string>>
  /** Default: programs are asked anew. */
  readonly versions?: ProgramVersions
}

/** What a skill requires and is not there: programs on the PATH, versions of them, variables that are set. */
export async function missingOf(manifest: SkillManifest, surroundings: SkillSurroundings): Promise<SkillMissing> {
  const { environment } = surroundings
  const bins = await Promise.all(
    requiredBins(manifest).map(async (bin) => ((await fileOf(bin, environment)) === undefined ? [bin] : [])),
  )
  const env = manifest.requires.env.filter((name) => (environment[name] ?? '') === '')
  return { bins: bins.flat(), env, versions: await otherVersions(manifest, surroundings) }
}

/** Throws `command_not_found` or `config` with all that is missing, by name. */
export async function assertRequirements(manifest: SkillManifest, surroundings: SkillSurroundings): Promise<void> {
  const missing = await missingOf(manifest, surroundings)
  const { bins, env, versions } = missing
  if (bins.length === 0 && env.length === 0 && versions.length === 0) return
  const said = [
    ...(bins.length === 0 ? [] : [`the programs ${bins.join(', ')}, which are not on the PATH of the machine`]),
    ...versions.map(
      ({ bin, range, found }) => `${bin} ${range}, which is ${found ?? 'of an unknown version'} on the machine`,
    ),
    ...(env.length === 0 ? [] : [`the variables ${env.join(', ')}, which are not set; give them with env`]),
  ]
  throw new CmdopError(
    bins.length > 0 || versions.length > 0 ? 'command_not_found' : 'config',
    `The skill ${manifest.name} requires ${said.join(', and ')}. Nothing ran.`,
    { details: { skill: manifest.name, missing } },
  )
}

/**
 * Programs that are there in another version. One that the PATH of the caller has elsewhere is not asked: it would run as the daemon's
 * user, outside the caller's restrictions.
 */
async function otherVersions(
  manifest: SkillManifest,
  { environment, own, versions = new ProgramVersions(own) }: SkillSurroundings,
): Promise<SkillMissing['versions']> {
  const others = await Promise.all(
    requiredVersions(manifest).map(async ({ bin, range }) => {
      const file = await fileOf(bin, environment)
      if (file === undefined || file !== (await fileOf(bin, own))) return []
      const found = await versions.of(file)
      return found !== null && isVersionIn(found, range) === true ? [] : [{ bin, range, found }]
    }),
  )
  return others.flat()
}

/** The file that a program is on the PATH; undefined: it is not there. */
async function fileOf(bin: string, environment: Environment): Promise<string | undefined> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  for (const folder of folders) {
    const path = join(folder, bin)
    const isThere = await access(path, constants.X_OK).then(
      () => stat(path),
      () => undefined,
    )
    if (isThere?.isFile() === true) return path
  }
  return undefined
}
