import { lchown, lstat, lutimes, mkdir, open, rename, symlink } from 'node:fs/promises'
import { constants } from 'node:fs'
import {
  CmdopError,
  type FileChangeParams,
  type FileEntry,
  type FileMkdirParams,
  type FileSymlinkParams,
  errnoOf,
} from '@cmdop/protocol'
import { readEntry, secondsOf } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { pathBytes, splitEntryPath } from './request-path.ts'
import type { TemporaryFiles } from './temporary-files.ts'

/** Serves `file.mkdir`. */
export async function makeDirectory(params: FileMkdirParams): Promise<FileEntry> {
  const path = pathBytes(params.path)
  const { folder } = splitEntryPath(path)
  return withFileError(path, async () => {
    if (params.parents) await mkdir(folder, { recursive: true })
    try {
      await mkdir(path)
      // Not by mkdir itself: the umask would take bits away.
      if (params.mode !== undefined) await changeHandle(path, { mode: params.mode })
    } catch (error) {
      const isThere = params.parents && errnoOf(error) === 'EEXIST' && (await lstat(path)).isDirectory()
      if (!isThere) throw error
    }
    return readEntry(path)
  })
}

/** Serves `file.symlink`. */
export async function makeSymlink(params: FileSymlinkParams, temporary: TemporaryFiles): Promise<FileEntry> {
  const path = pathBytes(params.path)
  const target =
    typeof params.target === 'string' ? Buffer.from(params.target) : Buffer.from(params.target.base64, 'base64')
  const { folder } = splitEntryPath(path)
  return withFileError(path, async () => {
    if (!params.overwrite) await symlink(target, path)
    else {
      const beside = await temporary.claim(folder)
      try {
        await symlink(target, beside)
        await rename(beside, path)
      } finally {
        await temporary.discard(beside)
      }
    }
    return readEntry(path)
  })
}

/** Serves `file.change`. Never follows a link. */
export async function changePath(params: FileChangeParams): Promise<FileEntry> {
  const path = pathBytes(params.path)
  return withFileError(path, async () => {
    if ((await lstat(path)).isSymbolicLink())
      throw new CmdopError('validation', `${path.toString()} is a symbolic link, which has no mode of its own.`)
    await changeHandle(path, params)
    return readEntry(path)
  })
}

/** Gives a new entry what another one has, as far as the daemon's user may. */
export async function dressLike(path: Buffer, like: Awaited<ReturnType<typeof lstat>>): Promise<void> {
  await lchown(path, Number(like.uid), Number(like.gid)).catch(() => {})
  if (!like.isSymbolicLink()) await changeHandle(path, { mode: Number(like.mode) & 0o7777 })
  await lutimes(path, Number(like.atimeMs) / 1000, Number(like.mtimeMs) / 1000)
}

async function changeHandle(
  path: Buffer,
  { mode, modifiedAt }: { mode?: number | undefined; modifiedAt?: string | undefined },
): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  if (mode !== undefined) await handle.chmod(mode)
  if (modifiedAt !== undefined) await handle.utimes(secondsOf(modifiedAt), secondsOf(modifiedAt))
}
