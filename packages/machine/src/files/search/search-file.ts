import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** Whether a line is one that is looked for. */
export type LineTest = (line: string) => boolean

const BLOCK_BYTES = 256 * 1024

/** Bytes of a line that are looked at: what is beyond does not match. */
const MAX_LINE_BYTES = 64 * 1024

/** A NUL in so many bytes from the start makes a file binary. */
const BINARY_BYTES = 8 * 1024

const NEWLINE = 0x0a

/** The lines of a regular file that pass; at last whether it was searched: not one that is binary, too large, or closed to us. */
export function* searchFile(
  path: Buffer,
  test: LineTest,
  maxBytes: number,
): Generator<{ line: number; text: string }, boolean, undefined> {
  const descriptor = tryOpen(path)
  if (descriptor === undefined) return false
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile() || stat.size > maxBytes) return false
    let line = 0
    for (const bytes of readLines(descriptor)) {
      if (bytes === undefined) return false
      line += 1
      const text = bytes.toString()
      if (test(text)) yield { line, text }
    }
    return true
  } catch (error) {
    // A disk that cannot be read, or a file of `/proc` that does not want to be.
    if (error instanceof Error && 'errno' in error) return false
    throw error
  } finally {
    closeSync(descriptor)
  }
}

function tryOpen(path: Buffer): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}

/** Lines without their end, cut to {@link MAX_LINE_BYTES}; undefined says that the file is binary. */
function* readLines(descriptor: number): Generator<Buffer | undefined> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let rest = Buffer.alloc(0)
  let isFirst = true
  for (;;) {
    const bytes = readSync(descriptor, block)
    if (bytes === 0) break
    const read = block.subarray(0, bytes)
    if (isFirst && read.subarray(0, BINARY_BYTES).includes(0)) return yield undefined
    isFirst = false
    let start = 0
    for (let end = read.indexOf(NEWLINE); end !== -1; end = read.indexOf(NEWLINE, start)) {
      yield withoutReturn(joined(rest, read.subarray(start, end)))
      rest = Buffer.alloc(0)
      start = end + 1
    }
    rest = Buffer.from(joined(rest, read.subarray(start)))
  }
  if (rest.length > 0) yield withoutReturn(rest)
  return undefined
}

function joined(rest: Buffer, piece: Buffer): Buffer {
  const room = MAX_LINE_BYTES - rest.length
  const cut = piece.subarray(0, Math.max(0, room))
  return rest.length === 0 ? cut : Buffer.concat([rest, cut])
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}
