import { type Hash, createHash, hash } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, read as readAsync, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { chmodEntry } from '../disk/attributes.ts'
import { parts } from '../disk/copy-content.ts'
import { joinBytes } from '../disk/path-bytes.ts'
import { openFileBeneath } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'
import type { Change, ContentSource } from './change.ts'
import { createPace } from '../pace.ts'

/** Files up to this are read in one piece; larger ones in pieces, with other work in between. */
const PIECE = 1_048_576
const piece = Buffer.allocUnsafeSlow(PIECE)

/** SHA-256 of a regular file of the view or of the real disk; of a large one with holes, see `hashHoles`. */
export async function contentHash(source: ContentSource, size: number): Promise<string> {
  if (size < PIECE) {
    const length = readSmall(source)
    if (length < PIECE) return hash('sha256', piece.subarray(0, length), 'hex')
  }
  const sum = createHash('sha256')
  if (await hashHoles(source, sum)) return sum.digest('hex')
  for await (const chunk of readContent(source)) sum.update(chunk)
  return sum.digest('hex')
}

/**
 * A large file that is mostly holes: only its data is read, with where it is. So two files of the same content, one with holes and one with
 * zeros, differ; a copy has the holes of the original.
 */
async function hashHoles(source: ContentSource, sum: Hash): Promise<boolean> {
  const descriptor = openContent(source)
  try {
    const { size, blocks } = fstatSync(descriptor)
    if (blocks * 512 > size / 2) return false
    const pace = createPace()
    const buffer = Buffer.allocUnsafe(PIECE)
    sum.update(`holes ${size}`)
    for (const { hole, start, end } of parts(descriptor, size)) {
      sum.update(`${hole} ${start} ${end}`)
      for (let at = hole ? end : start; at < end;) {
        const read = readSync(descriptor, buffer, 0, Math.min(PIECE, end - at), at)
        if (read === 0) return true
        sum.update(buffer.subarray(0, read))
        at += read
        await pace()
      }
    }
    return true
  } finally {
    closeSync(descriptor)
  }
}

/** The content in pieces; each piece is only good until the next is asked for. */
async function* readContent(source: ContentSource): AsyncGenerator<Uint8Array> {
  const descriptor = openContent(source)
  try {
    const buffer = Buffer.allocUnsafe(PIECE)
    const read = promisify(readAsync)
    for (;;) {
      const { bytesRead } = await read(descriptor, buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** What is at the path of a change, or of an entry like it, on the real disk. */
export function realSource({ layer, path }: Pick<Change, 'layer' | 'path'>): ContentSource {
  return { where: 'real', root: layer.root, path }
}

/** Opens a content for reading, following no link. What commands made unreadable for their own user is, in an upper directory, opened for this moment. */
export function openContent(source: ContentSource): number {
  const { where, root, path } = source
  try {
    return openFileBeneath(root, path)
  } catch (error) {
    if (where !== 'upper' || codeOf(error) !== 'EACCES') throw error
    const full = joinBytes(Buffer.from(root), path)
    return withMode({ path: full, bits: 0o400 }, () => openFileBeneath(root, path))
  }
}

/** The first PIECE bytes into `piece`. */
function readSmall(source: ContentSource): number {
  const descriptor = openContent(source)
  try {
    let length = 0
    for (;;) {
      const read = readSync(descriptor, piece, length, PIECE - length, null)
      length += read
      if (read === 0 || length === PIECE) return length
    }
  } finally {
    closeSync(descriptor)
  }
}

function withMode<T>({ path, bits }: { path: Buffer; bits: number }, work: () => T): T {
  const mode = lstatSync(path).mode & 0o7777
  chmodEntry(path, mode | bits)
  try {
    return work()
  } finally {
    chmodEntry(path, mode)
  }
}
