import { closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { diskLibc } from '../disk/libc.ts'
import { systemError } from '../disk/system-error.ts'

/** From so many files on, writing through the whole filesystem at once is faster than one file after another. */
const MANY = 64

/** fsync(2) of regular files or directories, all on one filesystem. */
export async function syncFiles(paths: readonly Buffer[]): Promise<void> {
  const [first] = paths
  if (first && paths.length > MANY) return syncFilesystem(first)
  for (const path of paths) syncFile(path)
}

/** fsync(2) of one file or directory: its content, or the names in it, are on the disk. */
export function syncFile(path: string | Buffer): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** syncfs(2) of the filesystem that an entry is on. */
export async function syncFilesystem(of: Buffer): Promise<void> {
  const descriptor = openSync(of, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    if ((await diskLibc().syncfs(descriptor)) < 0) throw systemError('syncfs', diskLibc().errno(), of)
  } finally {
    closeSync(descriptor)
  }
}
