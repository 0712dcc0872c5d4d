import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import {
  ANSWER_LANE,
  type Channel,
  CmdopError,
  type FileReadEnd,
  type FileReadParams,
  type FileReadStarted,
} from '@cmdop/protocol'
import { abandoned } from '../answer.ts'
import { versionOf } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { pathBytes } from './request-path.ts'
import { readBlocks } from './read-blocks.ts'

/** Serves `file.read`: no further ahead of the reader than its credit and two blocks. */
export async function serveRead(channel: Channel, params: FileReadParams): Promise<void> {
  const path = pathBytes(params.path)
  await using file = await openFile(path)
  const { size, version } = await lookAtFile(file, params)
  const range = rangeOf(params, size)
  channel.accept()
  await channel.control({ type: 'started', size, version } satisfies FileReadStarted)
  const hash = createHash('sha256')
  const signal = abandoned(channel)
  if (range.hashFrom < range.start) await hashRange(file, hash, { start: range.hashFrom, end: range.start, signal })
  let position = range.start
  for await (const block of readBlocks(file, range)) {
    hash.update(block)
    await channel.send(ANSWER_LANE, block)
    position += block.length
  }
  await channel.end({
    size: size === 0 ? position : size,
    version: versionOf(await file.stat({ bigint: true })),
    sha256: hash.digest('hex'),
  } satisfies FileReadEnd)
}

/** Adds a part of a file to a hash. Throws when the signal aborts. */
export async function hashRange(
  file: FileHandle,
  hash: Hash,
  range: { start: number; end: number; signal: AbortSignal },
): Promise<void> {
  for await (const block of readBlocks(file, range)) {
    hash.update(block)
    range.signal.throwIfAborted()
  }
}

/** A regular file, open for reading. Throws `validation` for anything else. */
export async function openFile(path: Buffer): Promise<FileHandle> {
  // Without waiting: a FIFO that nobody writes to would block for ever.
  const file = await withFileError(path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK))
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new CmdopError('validation', `${path.toString()} is not a regular file.`)
}

async function lookAtFile(file: FileHandle, params: FileReadParams): Promise<{ size: number; version: string }> {
  const found = await file.stat({ bigint: true })
  const version = versionOf(found)
  if (params.ifVersion === undefined || params.ifVersion === version) return { size: Number(found.size), version }
  throw new CmdopError('conflict', 'The file is another one than before; read it from its beginning.')
}

/** Files of `/proc` say that they are empty, and are not. */
function rangeOf(params: FileReadParams, size: number): { start: number; end: number; hashFrom: number } {
  const { offset, length = Number.MAX_SAFE_INTEGER, hashFrom = offset } = params
  if (hashFrom > offset) throw new CmdopError('validation', 'Expected hashFrom to be at most offset.')
  const last = size === 0 ? Number.MAX_SAFE_INTEGER : size
  return { start: offset, end: Math.min(last, offset + length), hashFrom }
}
