import { closeSync, constants, fsync, fsyncSync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import { diskLibc } from '../disk/libc.ts'
import { systemError } from '../disk/system-error.ts'

/** From so many files on the whole filesystem is written through: it waits for what others wrote too, so not for fewer. */
export const MANY = 1_000
/** Waiting for a few files at a time lets the filesystem put them into one commit. */
const AT_ONCE = 8

/** fsync(2) of regular files or directories, all on one filesystem. */
export async function syncFiles(paths: readonly Buffer[]): Promise<void> {
  const [first] = paths
  if (first && paths.length > MANY) return syncFilesystem(first)
  if (paths.length <= 2) for (const path of paths) syncFile(path)
  else await syncTogether(paths)
}

async function syncTogether(paths: readonly Buffer[]): Promise<void> {
  const queue = [...paths]
  const sync = async () => {
    for (let path = queue.pop(); path; path = queue.pop()) {
      await syncAside(path)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sync))
}

/** fsync(2) of one file or directory: its content, or the names in it, are on the disk. */
export function syncFile(path: string | Buffer): void {
  const descriptor = openForSync(path)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** As `syncFile`, off the main thread. */
export async function syncAside(path: Buffer): Promise<void> {
  const descriptor = openForSync(path)
  await promisify(fsync)(descriptor).finally(() => closeSync(descriptor))
}

/** syncfs(2) of the filesystem that an entry is on. */
export async function syncFilesystem(of: Buffer): Promise<void> {
  const descriptor = openForSync(of)
  try {
    if ((await diskLibc().syncfs(descriptor)) < 0) throw systemError('syncfs', diskLibc().errno(), of)
  } finally {
    closeSync(descriptor)
  }
}

function openForSync(path: string | Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}
