import { constants, type BigIntStats } from 'node:fs'
import { link, open, readlink, rename, rmdir, mkdir, unlink } from 'node:fs/promises'
import { CmdopError, errnoOf } from '@cmdop/protocol'
import { lookAt } from './file-entry.ts'
import { childPath, splitPath } from './path-bytes.ts'

/** Links that lead to links, before a path counts as leading nowhere. */
const MAX_LINKS = 40

/** File systems without hard links say so with one of these. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']

/**
 * Where a content that replaces the one at `path` belongs: the path itself, or the file that a symbolic link there leads
 * to. Throws `conflict` for a link that leads nowhere, `permission` for one that the system would not follow either:
 * another user's in a directory that everybody may write to.
 */
export async function resolveTarget(path: Buffer): Promise<{ path: Buffer; found: BigIntStats | undefined }> {
  let target = path
  for (let count = 0; count < MAX_LINKS; count += 1) {
    const found = await lookAt(target)
    if (found === undefined && count > 0)
      throw new CmdopError('conflict', `${path.toString()} is a symbolic link that leads nowhere; delete it first.`)
    if (found === undefined || !found.isSymbolicLink()) return { path: target, found }
    const { folder } = splitPath(target)
    await refuseForeignLink(folder, found)
    const next = await readlink(target, { encoding: 'buffer' })
    target = next[0] === 0x2f ? next : childPath(folder, next)
  }
  throw new CmdopError('validation', `${path.toString()} is a symbolic link that leads to itself.`)
}

/** Moves a file, link or directory to its place on the same file system. Without `overwrite` nothing is ever replaced there. */
export async function putInPlace(from: Buffer, to: Buffer, { overwrite }: { overwrite: boolean }): Promise<void> {
  if (overwrite) return rename(from, to)
  if ((await lookAt(from))?.isDirectory() === true) return renameOntoNew(from, to, 'directory')
  try {
    await link(from, to)
  } catch (error) {
    if (!NO_LINKS.includes(errnoOf(error) ?? '')) throw error
    return renameOntoNew(from, to, 'file')
  }
  await unlink(from)
}

/** First something of our own is made there, which fails if anything is there already; then it is replaced. */
async function renameOntoNew(from: Buffer, to: Buffer, kind: 'directory' | 'file'): Promise<void> {
  if (kind === 'directory') await mkdir(to)
  else await (await open(to, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY)).close()
  try {
    await rename(from, to)
  } catch (error) {
    await (kind === 'directory' ? rmdir(to) : unlink(to)).catch(() => {})
    throw error
  }
}

/** As `fs.protected_symlinks` of Linux, which cannot see that a link is followed here. */
async function refuseForeignLink(folder: Buffer, found: BigIntStats): Promise<void> {
  const parent = await lookAt(childPath(folder, Buffer.from('.')))
  const isShared = parent !== undefined && (parent.mode & 0o1002n) === 0o1002n
  if (!isShared || Number(found.uid) === process.geteuid?.() || found.uid === parent.uid) return
  throw new CmdopError('permission', `A symbolic link in ${folder.toString()} belongs to another user.`)
}
