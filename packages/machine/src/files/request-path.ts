import { CmdopError, type FilePath } from '@cmdop/protocol'
import { splitPath } from './path-bytes.ts'

/** A path as the system takes it: bytes, since names need not be UTF-8. Throws `validation` for a NUL. */
export function pathBytes(path: FilePath): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : Buffer.from(path.base64, 'base64')
  if (!bytes.includes(0)) return bytes
  throw new CmdopError('validation', 'Expected a path without NUL.')
}

/** The last name of a path that is to be made, moved or removed. Throws `validation` where it names no entry of its folder. */
export function splitEntryPath(path: Buffer): { folder: Buffer; name: Buffer } {
  const split = splitPath(path)
  const name = split.name.toString('latin1')
  if (name !== '' && name !== '.' && name !== '..') return split
  throw new CmdopError('validation', `Expected a path that ends with a name, got ${path.toString()}.`)
}
