import type { ErrorCode } from './error-codes.ts'
import { CmdopError, isCmdopError } from './errors.ts'

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'permission',
  EEXIST: 'conflict',
  ENOTEMPTY: 'conflict',
  EISDIR: 'conflict',
  EBUSY: 'conflict',
  ETXTBSY: 'conflict',
  ENOSPC: 'no_space',
  EDQUOT: 'no_space',
  EFBIG: 'no_space',
  ELOOP: 'validation',
  ENAMETOOLONG: 'validation',
  EINVAL: 'validation',
}

const messages: Readonly<Partial<Record<ErrorCode, (path: string) => string>>> = {
  not_found: (path) => `There is no ${path}.`,
  permission: (path) => `The user may not do this with ${path}.`,
  conflict: (path) => `Something that is in the way is at ${path}.`,
  no_space: (path) => `There is no space for ${path}; nothing was put in place.`,
  validation: (path) => `${path} leads nowhere.`,
}

/** The error for a file, here or on a machine, by its errno, which is in `details`. One of ours stays as it is. */
export function fileError(cause: unknown, path: string): CmdopError {
  if (isCmdopError(cause)) return cause
  const errno = errnoOf(cause) ?? 'unknown'
  const code = codes[errno] ?? 'server'
  const message = messages[code]?.(path) ?? `${path} could not be worked on (${errno}).`
  return new CmdopError(code, message, { cause, details: { errno, path } })
}

/** The errno of a failed system call: `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
