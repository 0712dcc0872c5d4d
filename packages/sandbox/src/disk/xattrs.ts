import { type DiskLibc, diskLibc, errno } from './libc.ts'
import { zeroEnded } from './path-bytes.ts'
import { systemError } from './system-error.ts'

/** Extended attributes by name: access lists, file capabilities and labels among them. Names are latin1 text. */
export type Xattrs = ReadonlyMap<string, Buffer>

const none: Xattrs = new Map()
const names = Buffer.alloc(65_536)
const value = Buffer.alloc(65_536)

/** All extended attributes that this process may see, of the entry itself, never of where a link leads. */
export function readXattrs(path: Buffer): Xattrs {
  const libc = diskLibc()
  const at = zeroEnded(path)
  const length = libc.llistxattr(at, names, names.length)
  if (length === 0) return none
  if (length < 0) return unlisted(libc, path)
  const found = new Map<string, Buffer>()
  for (const name of names.toString('latin1', 0, length - 1).split('\0')) {
    const read = readXattr(libc, at, name)
    if (read) found.set(name, read)
  }
  return found
}

/** Makes the attributes of an entry those of `wanted`; only what differs is written. */
export function writeXattrs(path: Buffer, wanted: Xattrs, present: Xattrs = readXattrs(path)): void {
  const libc = diskLibc()
  const at = zeroEnded(path)
  for (const name of present.keys()) {
    if (wanted.has(name)) continue
    if (libc.lremovexattr(at, zeroEnded(Buffer.from(name, 'latin1'))) < 0 && libc.errno() !== errno.ENODATA)
      throw systemError('lremovexattr', libc.errno(), path)
  }
  for (const [name, bytes] of wanted) {
    if (present.get(name)?.equals(bytes)) continue
    if (libc.lsetxattr(at, zeroEnded(Buffer.from(name, 'latin1')), bytes, bytes.length, 0) < 0)
      throw systemError('lsetxattr', libc.errno(), path)
  }
}

/** True when both have the same names and values. */
export function sameXattrs(one: Xattrs, other: Xattrs): boolean {
  if (one.size !== other.size) return false
  for (const [name, bytes] of one) if (!other.get(name)?.equals(bytes)) return false
  return true
}

function readXattr(libc: DiskLibc, at: Buffer, name: string): Buffer | undefined {
  const length = libc.lgetxattr(at, zeroEnded(Buffer.from(name, 'latin1')), value, value.length)
  if (length >= 0) return Buffer.from(value.subarray(0, length))
  // Gone meanwhile, or listed but not for this process to read.
  const code = libc.errno()
  if (code === errno.ENODATA || code === errno.EACCES || code === errno.ENOTSUP) return undefined
  throw systemError('lgetxattr', code, at.subarray(0, -1))
}

function unlisted(libc: DiskLibc, path: Buffer): Xattrs {
  const code = libc.errno()
  if (code === errno.ENOTSUP || code === errno.EACCES || code === errno.ENOENT) return none
  throw systemError('llistxattr', code, path)
}
