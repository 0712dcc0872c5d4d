import { type BigIntStats, constants, lstatSync, readlinkSync } from 'node:fs'
import type { FileState } from '@cmdop/protocol'
import { type Xattrs, readXattrs } from './xattrs.ts'

/** What an entry of a directory is, with all that an apply must carry over or compare. */
export interface EntryState {
  readonly type: FileState['type']
  /** Bytes of a regular file; else 0. */
  readonly size: number
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly dev: bigint
  readonly ino: bigint
  readonly nlink: number
  /** Of a device: its number; else 0. A character device 0 is a whiteout. */
  readonly rdev: number
  readonly character: boolean
  /** Fewer blocks than bytes: it has holes. */
  readonly sparse: boolean
  /** Of a symbolic link. */
  readonly target?: Buffer
  readonly xattrs: Xattrs
}

const types: ReadonlyMap<number, EntryState['type']> = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
])

const noXattrs: Xattrs = new Map()

/** The entry at a path, links not followed; undefined where there is none. `xattrs: false` leaves them out. */
export function readState(path: Buffer, { xattrs = true } = {}): EntryState | undefined {
  const stats = lstat(path)
  if (!stats) return undefined
  const kind = Number(stats.mode) & constants.S_IFMT
  const type = types.get(kind) ?? 'device'
  return {
    type,
    size: type === 'file' ? Number(stats.size) : 0,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    dev: stats.dev,
    ino: stats.ino,
    nlink: Number(stats.nlink),
    rdev: type === 'device' ? Number(stats.rdev) : 0,
    character: kind === constants.S_IFCHR,
    sparse: type === 'file' && stats.blocks * 512n < stats.size,
    xattrs: xattrs ? readXattrs(path) : noXattrs,
    ...(type === 'symlink' && { target: readlinkSync(path, 'buffer') }),
  }
}

/** True when owner, mode and extended attributes are equal; the mode of a symbolic link has no meaning. */
export function sameOwnerAndMode(one: EntryState, other: EntryState): boolean {
  return one.uid === other.uid && one.gid === other.gid && (one.type === 'symlink' || one.mode === other.mode)
}

function lstat(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    // A file stands where the path has a directory.
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return undefined
    throw error
  }
}
