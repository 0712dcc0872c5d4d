import { CmdopError, type FilePath } from '@cmdop/protocol'

/** A path as the system takes it: bytes, since names need not be UTF-8. Throws `validation` for a NUL. */
export function pathBytes(path: FilePath): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : Buffer.from(path.base64, 'base64')
  if (!bytes.includes(0)) return bytes
  throw new CmdopError('validation', 'Expected a path without NUL.')
}

/** A path for people to read: a byte that is not UTF-8 is shown as U+FFFD. */
export function shownPath(path: FilePath): string {
  return typeof path === 'string' ? path : Buffer.from(path.base64, 'base64').toString()
}
