import { chmodSync, closeSync, constants, lstatSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { writeAttributes, writeMtime } from '../disk/attributes.ts'
import { copyContent } from '../disk/copy-content.ts'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { diskLibc } from '../disk/libc.ts'
import { zeroEnded } from '../disk/path-bytes.ts'
import { systemError } from '../disk/system-error.ts'
import type { Change, ContentSource } from '../effects/change.ts'
import { openContent } from '../effects/content.ts'

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

/** Copies the content that a step will write over. */
export async function copyPreImage(from: Buffer, to: Buffer): Promise<void> {
  const descriptor = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    await copyContent({ descriptor, path: Buffer.from(`/proc/self/fd/${descriptor}`) }, to)
  } finally {
    closeSync(descriptor)
  }
}

async function stageContent(source: ContentSource, to: Buffer): Promise<void> {
  const descriptor = openContent(source)
  try {
    await copyContent({ descriptor, path: source.path }, to)
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
