import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { MAX_HASHED_FILE_BYTES } from '@cmdop/protocol'
import { unbound } from './unbound.ts'

/** A file as it is now. */
export interface FileIdentity {
  /** As a `BoundFile` has it. */
  readonly identity: string
  readonly bytes: number
}

/**
 * Undefined for what is no regular file, is not there, or is made by the kernel when it is read: reading that may block, and
 * it is something else each time. Throws `unsupported` for what cannot be read.
 */
export async function identityOf(path: string, signal?: AbortSignal): Promise<FileIdentity | undefined> {
  const seen = await stat(path).catch(() => undefined)
  if (seen?.isFile() !== true || isOfKernel(await realpath(path).catch(() => path))) return undefined
  try {
    // Another one may be there by now: opening a pipe must not wait for its other end.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await file.stat({ bigint: true })
    if (!found.isFile()) return undefined
    const bytes = Number(found.size)
    if (bytes > MAX_HASHED_FILE_BYTES)
      return { identity: `${found.dev}:${found.ino}:${found.size}:${found.ctimeNs}`, bytes }
    const hash = createHash('sha256')
    const content = file.createReadStream({ autoClose: false, start: 0, end: MAX_HASHED_FILE_BYTES, signal })
    for await (const data of content) hash.update(data)
    return { identity: hash.digest('hex'), bytes }
  } catch (cause) {
    throw unbound(
      `The file ${path}, which the command names, cannot be read: ${cause instanceof Error ? cause.message : ''}`,
    )
  }
}

/** Whether it is in a file system that the kernel makes up. */
export function isOfKernel(path: string): boolean {
  return /^\/(?:proc|sys)(?:\/|$)/.test(path)
}
