import { closeSync, constants, fsync, lstatSync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import { diskLibc } from '../disk/libc.ts'
import { systemError } from '../disk/system-error.ts'

/** From so many files on the whole filesystem is written through: it waits for what others wrote too, so not for fewer. */
export const MANY = 1_000
/** Waiting for a few files at a time lets the filesystem put them into one commit. */
const AT_ONCE = 8

/**
 * fsync(2) of files and directories, a few at once: the filesystem puts them into one commit. From {@link MANY} on each filesystem that
 * they are on is written through instead.
 */
export async function syncTogether(paths: readonly (string | Buffer)[]): Promise<void> {
  await (paths.length > MANY ? syncFilesystems(paths) : someAtOnce(paths, syncFile))
}

/** Does the work for all, for a few at a time. */
export async function someAtOnce<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = all.values()
  const some = async () => {
    for (const one of queue) await work(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
}

async function syncFilesystems(paths: readonly (string | Buffer)[]): Promise<void> {
  const byDevice = new Map(paths.map((path) => [lstatSync(path).dev, path]))
  for (const path of byDevice.values()) await syncFilesystem(path)
}

/** fsync(2) of one file or directory, off the main thread: its content, or the names in it, are on the disk. */
export async function syncFile(path: string | Buffer): Promise<void> {
  const descriptor = openForSync(path)
  await promisify(fsync)(descriptor).finally(() => closeSync(descriptor))
}

/** syncfs(2) of the filesystem that an entry is on. */
export async function syncFilesystem(of: string | Buffer): Promise<void> {
  const descriptor = openForSync(of)
  try {
    if ((await diskLibc().syncfs(descriptor)) < 0) throw systemError('syncfs', diskLibc().errno(), Buffer.from(of))
  } finally {
    closeSync(descriptor)
  }
}

function openForSync(path: string | Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}
