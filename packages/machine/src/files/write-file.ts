import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, statfs } from 'node:fs/promises'
import {
  ANSWER_LANE,
  type Channel,
  CmdopError,
  FileWriteCommit,
  type FileWriteParams,
  type FileWriteReady,
  type FileWritten,
  errnoOf,
} from '@cmdop/protocol'
import { BlockWriter } from './block-writer.ts'
import { lookAt, secondsOf, versionOf } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { pathBytes, splitEntryPath } from './request-path.ts'
import { putInPlace, resolveTarget } from './place.ts'
import { hashRange, openFile } from './read-file.ts'
import { removeAll } from './remove.ts'

/** A file that is being written: where it goes, and what is there now. */
export interface Target {
  readonly path: Buffer
  readonly folder: Buffer
  /** Version of the file that is there; undefined where none is. */
  readonly replaces: string | undefined
}

/** A temporary file, open, and the hash of what it holds. */
export interface Partial {
  readonly file: FileHandle
  readonly hash: Hash
  readonly size: number
}

/** Where the content goes, if it may. Throws `conflict`, `no_space` or `not_found` before any content is asked for. */
export async function findTarget(params: FileWriteParams): Promise<Target> {
  const given = pathBytes(params.path)
  splitEntryPath(given)
  return withFileError(given, async () => {
    const mustBeNew = isNewOnly(params)
    const isAsNamed = mustBeNew || !params.follow
    const { path, found } = isAsNamed ? { path: given, found: await lookAt(given) } : await resolveTarget(given)
    if (found !== undefined && mustBeNew) throw new CmdopError('conflict', `${given.toString()} is there already.`)
    const isReplaceable = found?.isFile() === true || (!params.follow && found?.isSymbolicLink() === true)
    if (found !== undefined && !isReplaceable)
      throw new CmdopError('conflict', `${given.toString()} is no regular file and is not replaced.`)
    if (typeof params.ifMatch === 'string') await assertContent(path, params.ifMatch)
    const { folder } = splitEntryPath(path)
    if (params.createParents) await mkdir(folder, { recursive: true })
    if (params.size !== undefined) await assertSpace(folder, params.size)
    return { path, folder, replaces: found === undefined ? undefined : versionOf(found) }
  })
}

/** Opens a temporary file: one that is there is gone on with, if it is truly ours. */
export async function openPartial(path: Buffer, signal: AbortSignal): Promise<Partial> {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const hash = createHash('sha256')
  const known = await open(path, flags).catch(() => undefined)
  try {
    const found = await known?.stat()
    if (known !== undefined && found?.isFile() === true && found.uid === process.geteuid?.() && found.nlink === 1) {
      await hashRange(known, hash, { start: 0, end: found.size, signal })
      return { file: known, hash, size: found.size }
    }
  } catch (error) {
    await known?.close()
    throw error
  }
  await known?.close()
  await removeAll(path)
  const file = await open(path, flags | constants.O_CREAT | constants.O_EXCL, 0o600)
  return { file, hash, size: 0 }
}

/** Takes the content into the file. Resolves with the client's commit; undefined when it ended without one. */
export async function receiveContent(channel: Channel, partial: Partial): Promise<FileWriteCommit | undefined> {
  const writer = new BlockWriter(partial.file, partial.hash, partial.size)
  let commit: FileWriteCommit | undefined
  channel.onControl = (message) => {
    commit = FileWriteCommit.safeParse(message).data ?? commit
  }
  channel.accept()
  await channel.control({ type: 'ready', offset: partial.size } satisfies FileWriteReady)
  try {
    for await (const { lane, data } of channel) {
      if (lane !== ANSWER_LANE) throw new CmdopError('protocol', 'Expected the content on its lane.')
      const full = writer.add(data)
      if (full !== undefined) await full
    }
  } finally {
    await writer.flush()
  }
  if (commit !== undefined && commit.size !== writer.end) throw notWhole(commit.size, writer.end)
  return commit
}

/** Makes the temporary file the file, if it is what it was announced to be. */
export async function commitFile(
  partial: Partial & { readonly path: Buffer },
  target: Target,
  { params, commit }: { params: FileWriteParams; commit: FileWriteCommit },
): Promise<FileWritten> {
  const sha256 = partial.hash.digest('hex')
  if (params.size !== undefined && params.size !== commit.size) throw notWhole(params.size, commit.size)
  for (const expected of [params.sha256, commit.sha256]) {
    if (expected !== undefined && expected !== sha256)
      throw new CmdopError(
        'integrity',
        `The content arrived as ${sha256}, not as ${expected}; nothing was put in place.`,
      )
  }
  const replaced = await lookAt(target.path)
  if (typeof params.ifMatch === 'string' && (replaced === undefined || versionOf(replaced) !== target.replaces))
    await assertContent(target.path, params.ifMatch)
  // A link that is replaced was perhaps made by somebody else: neither its owner nor its mode is taken over.
  await dress(partial.file, params, replaced?.isFile() === true ? replaced : undefined)
  await partial.file.sync()
  await putInPlace(partial.path, target.path, { overwrite: !isNewOnly(params) })
  await syncFolder(target.folder)
  const version = versionOf(await partial.file.stat({ bigint: true }))
  return { size: commit.size, sha256, version, replaced: replaced !== undefined }
}

/** What is written must not replace anything. */
function isNewOnly(params: FileWriteParams): boolean {
  return !params.overwrite || params.ifMatch === null
}

/** Owner first, since changing it drops bits of the mode. What the daemon's user may not give away stays its own. */
async function dress(
  file: FileHandle,
  params: FileWriteParams,
  replaced: Awaited<ReturnType<typeof lookAt>>,
): Promise<void> {
  if (replaced !== undefined) {
    await file.chown(Number(replaced.uid), Number(replaced.gid)).catch(() => {})
  }
  const kept = replaced === undefined ? 0o644 & ~process.umask() : Number(replaced.mode & 0o777n)
  await file.chmod(params.mode ?? kept)
  const time = params.modifiedAt === undefined ? undefined : secondsOf(params.modifiedAt)
  if (time !== undefined) await file.utimes(time, time)
}

/** So that the new name outlasts a power cut. Not every file system lets a directory be synchronised. */
async function syncFolder(path: Buffer): Promise<void> {
  try {
    await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    await folder.sync()
  } catch (error) {
    if (errnoOf(error) === 'EIO') throw error
  }
}

async function assertContent(path: Buffer, sha256: string): Promise<void> {
  await using file = await openFile(path)
  const hash = createHash('sha256')
  await hashRange(file, hash, { start: 0, end: Number.MAX_SAFE_INTEGER, signal: new AbortController().signal })
  const found = hash.digest('hex')
  if (found === sha256) return
  throw new CmdopError('conflict', `${path.toString()} is another content than ifMatch says.`, {
    details: { sha256: found },
  })
}

/** Root may use what is kept back for it. A file system that counts nothing is not asked. */
async function assertSpace(folder: Buffer, size: number): Promise<void> {
  const { bsize, blocks, bavail, bfree } = await statfs(folder, { bigint: true })
  const free = (process.geteuid?.() === 0 ? bfree : bavail) * bsize
  if (blocks === 0n || free >= BigInt(size)) return
  throw new CmdopError('no_space', `${folder.toString()} has ${free} bytes left, and ${size} are to come.`)
}

function notWhole(expected: number, got: number): CmdopError {
  return new CmdopError('integrity', `Expected ${expected} bytes, got ${got}; nothing was put in place.`)
}
