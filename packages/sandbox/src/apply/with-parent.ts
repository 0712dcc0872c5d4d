import { lstatSync, readdirSync } from 'node:fs'
import { chmodEntry } from '../disk/attributes.ts'
import { joinBytes, parentOf } from '../disk/path-bytes.ts'
import type { RealDisk } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'

/**
 * Works on a name in a directory that its owner may not write to: commands made it writable for a moment, so does this. The mode is
 * back at once; after a crash the `times` step of the directory knows it.
 */
export function withParent<T>(disk: RealDisk, path: Buffer, work: (at: Buffer) => T): T {
  try {
    return work(disk.at(path))
  } catch (error) {
    if (codeOf(error) !== 'EACCES' || path.length === 0) throw error
  }
  const mode = lstatSync(disk.at(parentOf(path))).mode & 0o7777
  chmodEntry(disk.at(parentOf(path)), mode | 0o700)
  try {
    return work(disk.at(path))
  } finally {
    chmodEntry(disk.at(parentOf(path)), mode)
  }
}

/** Names in a directory, also in one that its owner may not read. */
export function listDirectory(disk: RealDisk, path: Buffer): readonly Buffer[] {
  return withParent(disk, joinBytes(path, Buffer.from('any')), (at) =>
    readdirSync(parentOf(at), { encoding: 'buffer' }),
  )
}
