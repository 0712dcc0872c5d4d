import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { createPace } from '../pace.ts'
import { diskLibc, errno } from './libc.ts'
import { codeOf, systemError } from './system-error.ts'

const SEEK_DATA = 3
const SEEK_HOLE = 4
const FALLOC_FL_PUNCH_HOLE = 3
const PIECE = 1_048_576

/**
 * Copies an open file to a new one: shared blocks where the filesystem has them, holes kept. `path` is where it is; one that may not be
 * opened a second time is copied through the descriptor.
 */
export async function copyContent(
  { descriptor, path }: { descriptor: number; path: Buffer },
  to: Buffer,
): Promise<void> {
  const { size, blocks } = fstatSync(descriptor)
  const plain = blocks * 512 >= size && size <= PIECE * 8
  if (!copied(path, to, plain ? constants.COPYFILE_FICLONE : constants.COPYFILE_FICLONE_FORCE))
    await copyHoles(descriptor, to, size)
}

/**
 * Makes the content of the open file `to` that of `from`, in place: what is equal is not written, so that appending to a large
 * log writes its end. Holes stay holes.
 */
export async function writeContent(from: number, to: number): Promise<void> {
  const { size } = fstatSync(from)
  const pace = createPace()
  const length = Math.min(size, PIECE)
  const [wanted, present] = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)]
  if (fstatSync(to).size > size) ftruncateSync(to, size)
  for (const part of parts(from, size)) {
    if (part.hole) punch(to, part)
    for (let at = part.start; !part.hole && at < part.end; at += PIECE) {
      const length = readFull(from, wanted, { at, length: Math.min(PIECE, part.end - at) })
      const there = readFull(to, present, { at, length })
      if (there !== length || wanted.compare(present, 0, length, 0, length) !== 0)
        writeFull(to, wanted.subarray(0, length), at)
      await pace()
    }
  }
  if (fstatSync(to).size !== size) ftruncateSync(to, size)
}

/** A clone shares every block, also of a file with holes, and is done at once; a plain copy fills holes, so only small files have it. */
function copied(from: Buffer, to: Buffer, mode: number): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL | mode)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOSPC') throw error
    rmSync(to, { force: true })
    return false
  }
}

async function copyHoles(from: number, to: Buffer, size: number): Promise<void> {
  const target = openSync(to, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    ftruncateSync(target, size)
    const pace = createPace()
    const piece = Buffer.allocUnsafe(Math.min(size, PIECE))
    for (const part of parts(from, size)) {
      for (let at = part.start; !part.hole && at < part.end; at += PIECE) {
        const length = readFull(from, piece, { at, length: Math.min(PIECE, part.end - at) })
        writeFull(target, piece.subarray(0, length), at)
        await pace()
      }
    }
  } finally {
    closeSync(target)
  }
}

interface Part {
  readonly hole: boolean
  readonly start: number
  readonly end: number
}

/** The data and the holes of an open file, in order. */
export function* parts(descriptor: number, size: number): Generator<Part> {
  for (let at = 0; at < size;) {
    const data = seek(descriptor, at, SEEK_DATA) ?? size
    if (data > at) yield { hole: true, start: at, end: Math.min(data, size) }
    if (data >= size) return
    const end = Math.min(seek(descriptor, data, SEEK_HOLE) ?? size, size)
    yield { hole: false, start: data, end }
    at = end
  }
}

/** The next data or hole from an offset on; undefined at the end of the file. */
function seek(descriptor: number, offset: number, whence: number): number | undefined {
  const libc = diskLibc()
  const found = libc.lseek(descriptor, offset, whence)
  if (found >= 0) return found
  const code = libc.errno()
  if (code === errno.ENXIO) return undefined
  if (code === errno.EINVAL) return whence === SEEK_DATA ? offset : undefined
  throw systemError('lseek', code, Buffer.from(`descriptor ${descriptor}`))
}

function punch(descriptor: number, { start, end }: Part): void {
  const { size } = fstatSync(descriptor)
  if (start >= size) return
  const libc = diskLibc()
  if (libc.fallocate(descriptor, FALLOC_FL_PUNCH_HOLE, start, Math.min(end, size) - start) === 0) return
  const zeros = Buffer.alloc(PIECE)
  for (let at = start; at < Math.min(end, size); at += PIECE)
    writeFull(descriptor, zeros.subarray(0, Math.min(PIECE, end - at, size - at)), at)
}

function readFull(descriptor: number, into: Buffer, { at, length }: { at: number; length: number }): number {
  let done = 0
  while (done < length) {
    const read = readSync(descriptor, into, done, length - done, at + done)
    if (read === 0) break
    done += read
  }
  return done
}

function writeFull(descriptor: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done, at + done)
}
