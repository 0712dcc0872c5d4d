import { execFile } from 'node:child_process'
import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { CmdopError, type Restrictions } from '@cmdop/protocol'
import { landlockVersion } from '../host/landlock.ts'
import { dataMounts, isWithin } from '../host/mount-table.ts'

/** What a plan needs to know of the machine and of who asks. */
export interface Situation {
  readonly uid: number
  /** Whom commands run as, where that was chosen. */
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  /** Where commands start, and what else should be changeable for an ordinary user. */
  readonly folders: readonly string[]
  readonly hidden: readonly string[]
  /** What commands may write to whatever the restrictions are. */
  readonly shared?: string | undefined
  readonly networkId: string
  /** Version of Landlock; 0 = none. */
  readonly landlock: number
}

const run = promisify(execFile)

/** Looks at the machine. Rejects with `not_found` for a user that it does not have. */
export async function situationOf(
  restrictions: Restrictions,
  { folders, hidden, shared }: Pick<Situation, 'folders' | 'hidden' | 'shared'>,
): Promise<Situation> {
  const { runAs } = restrictions
  return {
    uid: process.getuid?.() ?? -1,
    folders,
    hidden,
    shared,
    networkId: readlinkSync('/proc/self/ns/net'),
    landlock: landlockVersion(),
    ...(runAs !== undefined && { user: await userOf(runAs) }),
  }
}

/** Restrictions whose writable paths are real directories, links followed. Throws `validation` for one that is none. */
export function withRealPaths(restrictions: Restrictions): Restrictions {
  const { writablePaths } = restrictions
  return writablePaths === undefined
    ? restrictions
    : { ...restrictions, writablePaths: [...outermost(writablePaths.map(realDirectory))] }
}

/** For an ordinary user: of each folder the topmost directory above that is the user's and holds no other mount. */
export function changeableRoots({ uid, folders }: Situation): readonly string[] {
  if (uid === 0) return []
  const mounts = dataMounts()
  const found = [...folders, homedir()].map((folder) =>
    topmostOwn(folder, uid, (path) => !mounts.some((mount) => mount.path !== path && isWithin(mount.path, path))),
  )
  return outermost(['/tmp', '/var/tmp', ...found.filter((path) => path !== undefined)].filter(isDirectory))
}

function topmostOwn(folder: string, uid: number, isWhole: (path: string) => boolean): string | undefined {
  let found: string | undefined
  for (let path = real(folder); path !== undefined; path = path === '/' ? undefined : dirname(path))
    if (lstatSync(path).uid === uid && isWhole(path)) found = path
  return found
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function realDirectory(path: string): string {
  const found = real(path)
  if (found === undefined || !isDirectory(found))
    throw new CmdopError(
      'validation',
      `writablePaths: ${path} is no directory of this machine. Make it first, or leave it out.`,
    )
  return found
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Without those that are below others, shallow ones first. */
function outermost(paths: readonly string[]): readonly string[] {
  const unique = [...new Set(paths)].toSorted((one, other) => one.length - other.length)
  return unique.filter((path) => !unique.some((other) => other !== path && isWithin(path, other)))
}

async function userOf(name: string): Promise<NonNullable<Situation['user']>> {
  try {
    const [uid, gid, groups] = await Promise.all(
      ['-u', '-g', '-G'].map(async (flag) => (await run('id', [flag, name])).stdout.trim()),
    )
    return { uid: Number(uid), gid: Number(gid), groups: (groups ?? '').split(' ').map(Number) }
  } catch (cause) {
    throw new CmdopError('not_found', `runAs: this machine has no user ${name}.`, { cause })
  }
}
