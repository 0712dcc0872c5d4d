import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { CmdopError, errnoOf, isCmdopError } from '@cmdop/protocol'
import type { Sha256Hash } from '../../platform.ts'
import { readBlocks } from './read-blocks.ts'
import { nodePlatform } from '../../platform-node.ts'
import type { StoredContent, StoreWrite } from '../transfer/store.ts'

const SLASH = 0x2f

/** Writes a file of this computer beside its place, and puts it there when it is whole. */
export async function writeLocal(path: Buffer, content: StoredContent, options: StoreWrite): Promise<void> {
  if (options.createParents) await mkdir(folderOf(path), { recursive: true })
  const target = await resolveTarget(path, options)
  const beside = temporaryBeside(target, options.resume ? content.identity : undefined)
  try {
    await fill(beside, content, options)
    if (options.overwrite) return await rename(beside, target)
    await link(beside, target)
    await rm(beside)
  } catch (error) {
    const isWorthless = isCmdopError(error) && (error.code === 'integrity' || error.code === 'conflict')
    if (!options.resume || isWorthless) await rm(beside, { force: true })
    throw error
  }
  return undefined
}

/** A name beside a path: the same one for the same key, else a new one. */
export function temporaryBeside(path: Buffer, key?: string): Buffer {
  const hash = createHash('sha256').update(path)
  const digest = hash.update(key ?? randomBytes(16)).digest('hex')
  return Buffer.concat([folderOf(path), Buffer.from(`/.cmdop-${digest.slice(0, 32)}.part`)])
}

async function fill(beside: Buffer, content: StoredContent, options: StoreWrite): Promise<void> {
  await using file = await openBeside(beside, options.resume)
  let position = await startOf(file, content)
  const before = position === 0 ? undefined : await hashOf(file, position)
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const piece of content.from(position, before)) {
      options.signal.throwIfAborted()
      await writing
      writing = writeAll(file, piece, position)
      writing.catch(() => {})
      position += piece.length
      options.onProgress(position)
    }
  } finally {
    await writing
  }
  await file.chmod(options.mode)
  const time = options.modifiedAt === undefined ? undefined : secondsOf(options.modifiedAt)
  if (time !== undefined) await file.utimes(time, time)
}

/** What an earlier try left, if it is truly ours: anybody may know its name. Else a new file. */
async function openBeside(path: Buffer, resume: boolean): Promise<FileHandle> {
  const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  if (resume) {
    const known = await open(path, flags).catch(() => undefined)
    if (known !== undefined) {
      const found = await known.stat()
      const isOwn = process.geteuid === undefined || found.uid === process.geteuid()
      if (found.isFile() && isOwn && found.nlink === 1) return known
      await known.close()
    }
    await rm(path, { recursive: true, force: true })
  }
  return open(path, flags | constants.O_CREAT | constants.O_EXCL, 0o600)
}

/** Where an earlier try stopped. */
async function startOf(file: FileHandle, { size }: StoredContent): Promise<number> {
  const kept = (await file.stat()).size
  if (size !== undefined && kept <= size) return kept
  await file.truncate()
  return 0
}

async function hashOf(file: FileHandle, end: number): Promise<Sha256Hash | undefined> {
  const hash = nodePlatform.createSha256?.()
  for await (const block of readBlocks(file, { start: 0, end })) hash?.update(block)
  return hash
}

async function writeAll(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < piece.length;) {
    const { bytesWritten } = await file.write(piece, offset, piece.length - offset, position + offset)
    offset += bytesWritten
  }
}

/** Through a link at the root to the file that it leads to, as `cp` does. One below it is replaced. */
async function resolveTarget(path: Buffer, { overwrite, isRoot }: StoreWrite): Promise<Buffer> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return path
  if (!overwrite) throw new CmdopError('conflict', `${path.toString()} is there already.`)
  if (found.isSymbolicLink() && !isRoot) return path
  const target = found.isSymbolicLink() ? await realpath(path, { encoding: 'buffer' }) : path
  const isFile = target === path ? found.isFile() : (await lstat(target)).isFile()
  if (isFile) return target
  throw new CmdopError('conflict', `${path.toString()} is no regular file and is not replaced.`)
}

function folderOf(path: Buffer): Buffer {
  const at = path.lastIndexOf(SLASH)
  return at <= 0 ? Buffer.from('/') : path.subarray(0, at)
}

/**
 * A time as `utimes` takes it, in seconds. Half a microsecond more than it says: seconds are no round numbers in binary, and
 * the system cuts off what it does not keep.
 */
export function secondsOf(time: string): number {
  return Date.parse(time) / 1000 + 0.000_000_5
}
