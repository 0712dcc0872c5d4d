import { type Hash, createHash, hash } from 'node:crypto'
import { chmodSync, closeSync, fstatSync, lstatSync, openSync, read as readAsync, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { parts } from '../disk/copy-content.ts'
import { codeOf } from '../disk/system-error.ts'
import type { ContentSource } from './change.ts'
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

/** Opens a content for reading. What commands made unreadable for their own user is, in an upper directory, opened for this moment. */
export function openContent(source: ContentSource): number {
  try {
    return openSync(source.path, 'r')
  } catch (error) {
    if (source.where !== 'upper' || codeOf(error) !== 'EACCES') throw error
    return withMode({ path: source.path, bits: 0o400 }, () => openSync(source.path, 'r'))
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
  chmodSync(path, mode | bits)
  try {
    return work()
  } finally {
    chmodSync(path, mode)
  }
}
