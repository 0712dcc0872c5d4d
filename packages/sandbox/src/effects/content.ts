import { type Hash, createHash, hash } from 'node:crypto'
import { chmodSync, closeSync, fstatSync, lstatSync, openSync, readSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { parts } from '../disk/copy-content.ts'
import { codeOf } from '../disk/system-error.ts'
import type { View } from '../view.ts'
import type { ContentSource } from './change.ts'
import { createPace } from '../pace.ts'

/** Files up to this are read in one piece; larger ones in pieces, with other work in between. */
const PIECE = 1_048_576
const piece = Buffer.allocUnsafeSlow(PIECE)

/** SHA-256 of a regular file of the view or of the real disk; of a large one with holes, see `hashHoles`. */
export async function contentHash(source: ContentSource, size: number, view: View): Promise<string> {
  if (size < PIECE) {
    const length = readSmall(source, view)
    if (length !== undefined && length < PIECE) return hash('sha256', piece.subarray(0, length), 'hex')
  }
  const sum = createHash('sha256')
  if (await hashHoles(source, sum)) return sum.digest('hex')
  for await (const chunk of readContent(source, view)) sum.update(chunk)
  return sum.digest('hex')
}

/**
 * A large file that is mostly holes: only its data is read, with where it is. So two files of the same content, one with holes and one with
 * zeros, differ; a copy has the holes of the original.
 */
async function hashHoles(source: ContentSource, sum: Hash): Promise<boolean> {
  let descriptor
  try {
    descriptor = openSync(source.path, 'r')
  } catch {
    return false
  }
  try {
    const { size, blocks } = fstatSync(descriptor)
    if (blocks * 512 > size / 2) return false
    const pace = createPace()
    const buffer = Buffer.allocUnsafe(PIECE)
    sum.update(`holes ${size}`)
    for (const { hole, start, end } of parts(descriptor, size)) {
      sum.update(`${hole} ${start} ${end}`)
      for (let at = start; !hole && at < end; ) {
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
export async function* readContent(source: ContentSource, view: View): AsyncGenerator<Uint8Array> {
  if (source.where === 'upper' && view.reader && !isReadable(source.path)) return yield* view.reader.read(source.path)
  const descriptor = openContent(source)
  await using handle = await open(`/proc/self/fd/${descriptor}`).finally(() => closeSync(descriptor))
  const buffer = Buffer.allocUnsafeSlow(PIECE)
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

/** Opens a content for reading. What is unreadable in an upper directory is made readable for this moment. */
export function openContent(source: ContentSource): number {
  try {
    return openSync(source.path, 'r')
  } catch (error) {
    if (source.where !== 'upper' || codeOf(error) !== 'EACCES') throw error
    return withMode({ path: source.path, bits: 0o400 }, () => openSync(source.path, 'r'))
  }
}

/** Names in a directory of an upper directory, readable or not. */
export async function listUpper(path: Buffer, view: View): Promise<readonly Buffer[]> {
  try {
    return readdirSync(path, { encoding: 'buffer' })
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    return view.reader
      ? view.reader.list(path)
      : withMode({ path, bits: 0o500 }, () => readdirSync(path, { encoding: 'buffer' }))
  }
}

/** The first PIECE bytes into `piece`; undefined when it cannot be opened like this. */
function readSmall(source: ContentSource, view: View): number | undefined {
  let descriptor
  try {
    descriptor = view.reader ? openSync(source.path, 'r') : openContent(source)
  } catch (error) {
    if (codeOf(error) === 'EACCES' && view.reader) return undefined
    throw error
  }
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

function isReadable(path: Buffer): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
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
