import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readlink, realpath, symlink } from 'node:fs/promises'
import { CmdopError, type FileEntry, type FileTransferParams } from '@cmdop/protocol'
import { lookAt, readEntry } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { dressLike } from './make-entries.ts'
import { OpenDirectory } from './open-directory.ts'
import { childPath } from './path-bytes.ts'
import { pathBytes, splitEntryPath } from './request-path.ts'
import { putInPlace, resolveTarget } from './place.ts'
import { readBlocks } from './read-blocks.ts'
import { type TemporaryFiles, temporaryPath } from './temporary-files.ts'

export interface CopyContext {
  readonly temporary: TemporaryFiles
  readonly signal: AbortSignal
}

interface CopyOptions {
  readonly overwrite: boolean
  /** Owner, times and every bit of the mode too, as when something moves. */
  readonly preserve: boolean
  /** In a directory that is being copied, which is left half-done by a daemon that is killed. */
  readonly isNested?: boolean
}

const ZEROS = Buffer.alloc(512 * 1024)

/** Serves `file.copy`. A file appears whole or not at all; a directory as it is copied. Links are copied as links. */
export async function copyPath(params: FileTransferParams, context: CopyContext): Promise<FileEntry> {
  const [from, to] = [pathBytes(params.from), pathBytes(params.to)]
  const source = await lookAtSource(from, params)
  await refuseIntoItself(from, to)
  return withFileError(to, async () => {
    const target = source.isFile() && params.overwrite ? (await resolveTarget(to)).path : to
    await copyEntry(from, target, { overwrite: params.overwrite, preserve: false, ...context })
    return readEntry(to)
  })
}

/** What is to be copied or moved. Throws `not_found`, or `validation` for a directory without `recursive`. */
export async function lookAtSource(from: Buffer, { recursive }: FileTransferParams): Promise<Stats> {
  const source = await withFileError(from, () => lstat(from))
  if (!source.isDirectory() || recursive) return source
  throw new CmdopError('validation', `${from.toString()} is a directory; ask for recursive.`)
}

/** Throws `validation` where a directory would be put into itself, `conflict` where something would replace itself. */
export async function refuseIntoItself(from: Buffer, to: Buffer): Promise<void> {
  const { folder, name } = splitEntryPath(to)
  const [source, parent] = await Promise.all([
    placeOf(from),
    withFileError(folder, () => realpath(folder, { encoding: 'buffer' })),
  ])
  const target = childPath(parent, name)
  if (source.equals(target)) throw new CmdopError('conflict', `${to.toString()} is the same entry.`)
  if (target.subarray(0, source.length + 1).equals(Buffer.concat([source, Buffer.from('/')])))
    throw new CmdopError('validation', `${to.toString()} lies in ${from.toString()} itself.`)
}

/** Copies a file, a link, or a directory with all that is in it. Throws `unsupported` for anything else. */
export async function copyEntry(from: Buffer, to: Buffer, options: CopyOptions & CopyContext): Promise<void> {
  options.signal.throwIfAborted()
  const source = await lstat(from)
  if (source.isDirectory()) await copyDirectory(from, to, options)
  else if (source.isFile() || source.isSymbolicLink()) await copyBeside(from, to, options)
  else throw new CmdopError('unsupported', `${from.toString()} is no file, directory or link, and is not copied.`)
}

async function copyDirectory(from: Buffer, to: Buffer, options: CopyOptions & CopyContext): Promise<void> {
  await using source = await OpenDirectory.open(from)
  const found = await lstat(from)
  const known = options.overwrite ? await lookAt(to) : undefined
  if (known?.isDirectory() !== true) await mkdir(to, { mode: 0o700 })
  {
    await using target = await OpenDirectory.open(to)
    for (const name of await source.names()) {
      await copyEntry(source.at(name), target.at(name), { ...options, isNested: true })
    }
  }
  if (options.preserve) await dressLike(to, found)
  else if (known === undefined) {
    await using handle = await open(to, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    await handle.chmod(found.mode & 0o777)
  }
}

async function copyBeside(from: Buffer, to: Buffer, options: CopyOptions & CopyContext): Promise<void> {
  const found = await lookAt(to)
  if (found !== undefined && (!options.overwrite || found.isDirectory()))
    throw new CmdopError('conflict', `Something that is in the way is at ${to.toString()}.`)
  const { folder } = splitEntryPath(to)
  const beside = options.isNested === true ? temporaryPath(folder) : await options.temporary.claim(folder)
  try {
    const source = await lstat(from)
    if (source.isSymbolicLink()) await symlink(await readlink(from, { encoding: 'buffer' }), beside)
    else await copyFile(from, beside, options.signal)
    if (options.preserve) await dressLike(beside, source)
    await putInPlace(beside, to, options)
  } finally {
    await options.temporary.discard(beside)
  }
}

async function copyFile(from: Buffer, to: Buffer, signal: AbortSignal): Promise<void> {
  await using source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const found = await source.stat()
  if (!found.isFile()) throw new CmdopError('conflict', `${from.toString()} is no regular file any more.`)
  await using target = await open(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  const hasHoles = found.blocks * 512 < found.size
  let position = 0
  for await (const block of readBlocks(source, { start: 0, end: Number.MAX_SAFE_INTEGER })) {
    signal.throwIfAborted()
    // What is not written is a hole, which reads as zeros.
    if (!hasHoles || !isZero(block)) await writeAll(target, block, position)
    position += block.length
  }
  await target.truncate(position)
  await target.chmod(found.mode & 0o777)
}

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS.subarray(0, block.length))
}

async function writeAll(file: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let offset = 0; offset < block.length;) {
    const { bytesWritten } = await file.write(block, offset, block.length - offset, position + offset)
    offset += bytesWritten
  }
}

/** Where an entry truly is; a link is not followed. The root is the empty path. */
async function placeOf(path: Buffer): Promise<Buffer> {
  const { folder, name } = splitEntryPath(path)
  return childPath(await withFileError(folder, () => realpath(folder, { encoding: 'buffer' })), name)
}
