import { chmodSync, closeSync, constants, lstatSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { writeAttributes, writeMtime } from '../disk/attributes.ts'
import { copyContent } from '../disk/copy-content.ts'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { diskLibc } from '../disk/libc.ts'
import { type RealDisk, conflictAt } from '../disk/real-disk.ts'
import { zeroEnded } from '../disk/path-bytes.ts'
import { systemError } from '../disk/system-error.ts'
import type { Change, ContentSource } from '../effects/change.ts'
import { openContent } from '../effects/content.ts'
import { marksOf } from './known-entries.ts'

const kinds = { file: constants.S_IFREG, fifo: constants.S_IFIFO, socket: constants.S_IFSOCK }

/** Makes the entry that a change puts in place, with its content. Gives its inode number. */
export async function stageEntry({ after, source }: Change, to: Buffer): Promise<bigint> {
  if (!after) throw new Error('Nothing to stage: the entry is deleted.')
  if (after.type === 'directory') mkdirSync(to, 0o700)
  else if (after.type === 'symlink') symlinkSync(after.target ?? Buffer.alloc(0), to)
  else if (after.type === 'file' && source) await stageContent(source, to)
  else makeNode(to, after)
  return lstatSync(to, { bigint: true }).ino
}

/** Gives a staged entry its owner, mode, attributes and time, after its content is on the disk. A directory gets its at the end. */
export function finishStaged({ after }: Change, to: Buffer): void {
  const made = readState(to)
  if (!made || !after || after.type === 'directory') return
  writeAttributes(to, after, made)
  writeMtime(to, after.mtimeNs)
}

/** Copies the content that a step will write over: that of the entry which was compared, or `effect_conflict`. */
export async function copyPreImage(
  disk: RealDisk,
  { path, before }: { path: Buffer; before: EntryState },
  to: Buffer,
): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const descriptor = openSync(disk.at(path), flags)
  const expectSame = () => {
    const { ino, size, mtimeNs, ctimeNs } = marksOf(descriptor)
    const isSame =
      ino === before.ino && size === before.size && mtimeNs === before.mtimeNs && ctimeNs === before.ctimeNs
    if (!isSame) throw conflictAt(disk.full(path), 'was changed meanwhile')
  }
  try {
    expectSame()
    await copyContent({ descriptor, path: Buffer.from(`/proc/self/fd/${descriptor}`) }, to)
    expectSame()
  } finally {
    closeSync(descriptor)
  }
}

async function stageContent(source: ContentSource, to: Buffer): Promise<void> {
  const descriptor = openContent(source)
  try {
    await copyContent({ descriptor, path: Buffer.from(`/proc/self/fd/${descriptor}`) }, to)
    // The copy of an unreadable file is one too.
    chmodSync(to, 0o600)
  } finally {
    closeSync(descriptor)
  }
}

function makeNode(to: Buffer, { type, mode, rdev, character }: EntryState): void {
  const kind =
    type === 'device' ? (character ? constants.S_IFCHR : constants.S_IFBLK) : kinds[type as keyof typeof kinds]
  if (diskLibc().mknod(zeroEnded(to), kind | mode, rdev) < 0) throw systemError('mknod', diskLibc().errno(), to)
}
