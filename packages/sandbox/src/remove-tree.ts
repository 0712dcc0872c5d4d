import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Removes a state folder with all that is in it. It does not follow links, does not leave the file system that the folder is
 * on, and opens directories that commands closed. Nothing when there is none.
 */
export async function removeTree(folder: string): Promise<void> {
  const stats = await lstat(folder).catch(() => undefined)
  if (stats !== undefined) await remove(Buffer.from(folder), { device: stats.dev, folder, moved: 0 })
}

/** One removal. */
interface Removal {
  readonly device: number
  readonly folder: string
  /** Directories that were moved up so far. */
  moved: number
}

/** Below this a path and one more name are within what the system takes, 4096 bytes. */
const MAX_PATH_BYTES = 3_000

const SLASH = Buffer.from('/')

async function remove(path: Buffer, removal: Removal): Promise<void> {
  const stats = await lstat(path)
  // Of a file, an overlay below may give another device; what is mounted on a file cannot be unlinked anyway.
  if (!stats.isDirectory()) return unlink(path)
  if (stats.dev !== removal.device)
    throw new Error(`Another file system is mounted at ${path.toString()}; it is not removed.`)
  if ((stats.mode & 0o700) !== 0o700) await chmod(path, 0o700)
  if (path.length > MAX_PATH_BYTES) return remove(await moveUp(path, removal), removal)
  for (const name of await readdir(path, { encoding: 'buffer' }))
    await remove(Buffer.concat([path, SLASH, name]), removal)
  await rmdir(path)
}

/** Commands can make paths that are too long to name from outside; what is in one is removed nearer to the top. */
async function moveUp(path: Buffer, removal: Removal): Promise<Buffer> {
  const nearer = Buffer.from(join(removal.folder, `deep-${process.pid}-${removal.moved++}`))
  await rename(path, nearer)
  return nearer
}

/**
 * Removes the state folders that a daemon left when it was killed; `keep` are the ids whose effects are still wanted. To be
 * called before the first sandbox is opened. Gives the ids that were removed.
 */
export async function sweep(folder: string, keep: readonly string[] = []): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => [])
  const left = names.filter((name) => !keep.includes(name))
  for (const name of left) await removeTree(join(folder, name))
  return left
}
