import type { BigIntStats } from 'node:fs'
import { lstat, readlink, stat } from 'node:fs/promises'
import { type FileEntry, errnoOf } from '@cmdop/protocol'
import { splitPath, wireText } from './path-bytes.ts'

/** What is at a path; a symbolic link is described itself, unless it is followed. Rejects with the system's error. */
export async function readEntry(path: Buffer, options: { follow?: boolean; name?: Buffer } = {}): Promise<FileEntry> {
  const found = await (options.follow === true ? stat : lstat)(path, { bigint: true })
  const target = found.isSymbolicLink() ? await readlink(path, { encoding: 'buffer' }) : undefined
  return {
    ...wireText('name', options.name ?? splitPath(path).name),
    ...entryOf(found),
    ...(target === undefined ? {} : wireText('target', target)),
  }
}

/** What is at a path itself; undefined when nothing is. */
export async function lookAt(path: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Changes with the content of a file: inode, size and time of the last change of the content. Not the device: the same file
 * has another one in each view of a session.
 */
export function versionOf({ ino, size, mtimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs].map((part) => part.toString(36)).join('-')
}

function entryOf(found: BigIntStats): Omit<FileEntry, 'name'> {
  return {
    type: typeOf(found),
    size: Number(found.size),
    mode: Number(found.mode & 0o7777n),
    uid: Number(found.uid),
    gid: Number(found.gid),
    modifiedAt: timeOf(found.mtimeMs),
    allocatedBytes: Number(found.blocks * 512n),
    version: versionOf(found),
  }
}

function typeOf(found: Pick<BigIntStats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileEntry['type'] {
  if (found.isFile()) return 'file'
  if (found.isDirectory()) return 'directory'
  return found.isSymbolicLink() ? 'symlink' : 'other'
}

const FIRST_TIME = Date.UTC(1, 0)
const LAST_TIME = Date.UTC(9999, 0)

/** A file system keeps times that no date of four digits can say. */
function timeOf(milliseconds: bigint): string {
  return new Date(Math.min(LAST_TIME, Math.max(FIRST_TIME, Number(milliseconds)))).toISOString()
}

/**
 * A time as `utimes` takes it, in seconds. Half a microsecond more than it says: seconds are no round numbers in binary, and
 * the system cuts off what it does not keep.
 */
export function secondsOf(time: string): number {
  return Date.parse(time) / 1000 + 0.000_000_5
}
