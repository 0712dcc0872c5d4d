import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { CmdopError, type FileReadParams } from '@cmdop/protocol'

/** A part of a regular file and its whole size. Throws `not_found`, `permission` or `validation`. */
export async function readFilePart(params: FileReadParams): Promise<{ data: Uint8Array; size: number }> {
  try {
    // Without waiting: a FIFO that nobody writes to would block for ever.
    await using file = await open(params.path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) throw new CmdopError('validation', `${params.path} is not a regular file.`)
    const buffer = Buffer.alloc(await readableBytes(params, stat.size))
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, params.offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return {
      data: buffer.subarray(0, filled),
      size: filled === 0 ? stat.size : Math.max(stat.size, params.offset + filled),
    }
  } catch (cause) {
    throw fileError(cause, params.path)
  }
}

/** Files of `/proc` say that they are empty, and are not. */
async function readableBytes(params: FileReadParams, size: number): Promise<number> {
  if (size === 0) return params.length
  return Math.max(0, Math.min(params.length, size - params.offset))
}

/** The error for a path, by its errno. */
export function fileError(cause: unknown, path: string): CmdopError {
  if (cause instanceof CmdopError) return cause
  const errno = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'unknown'
  const options = { cause, details: { errno, path } }
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return new CmdopError('not_found', `There is no ${path} on the machine.`, options)
  if (errno === 'EACCES' || errno === 'EPERM')
    return new CmdopError('permission', `The daemon's user may not read ${path}.`, options)
  if (errno === 'ELOOP' || errno === 'ENAMETOOLONG')
    return new CmdopError('validation', `${path} leads nowhere (${errno}).`, options)
  return new CmdopError('server', `${path} could not be read (${errno}).`, options)
}
