import { chmodSync, closeSync, constants, fstatSync, lchownSync, openSync, lstatSync } from 'node:fs'
import { diskLibc } from './libc.ts'
import type { EntryState } from './entry-state.ts'
import { zeroEnded } from './path-bytes.ts'
import { codeOf, systemError } from './system-error.ts'
import { writeXattrs } from './xattrs.ts'

/** Node does not know it; the value is that of x64 and arm64. */
const O_PATH = 0x200000
const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const UTIME_OMIT = 0x3ffffffen

/** What of an entry can be changed in place. */
export type Attributes = Pick<EntryState, 'type' | 'mode' | 'uid' | 'gid' | 'xattrs'>

/** Gives the entry at a path, which is not a link followed, its owner, then mode, then attributes; only what differs. */
export function writeAttributes(path: Buffer, wanted: Attributes, present: Attributes): void {
  const chowned = wanted.uid !== present.uid || wanted.gid !== present.gid
  if (chowned) lchownSync(path, wanted.uid, wanted.gid)
  // A change of owner clears the setuid bits and the capabilities of a file.
  if (wanted.type !== 'symlink' && (chowned || wanted.mode !== present.mode)) chmodEntry(path, wanted.mode)
  writeXattrs(path, wanted.xattrs)
  // An access list is one with the mode: setting one may have changed the other.
  if (wanted.type !== 'symlink' && wanted.xattrs.size > 0 && wanted.xattrs.has('system.posix_acl_access'))
    chmodEntry(path, wanted.mode)
}

/** Sets the modification time, to the nanosecond; links are not followed and the access time stays. */
export function writeMtime(path: Buffer, mtimeNs: bigint): void {
  const libc = diskLibc()
  let seconds = mtimeNs / 1_000_000_000n
  let rest = mtimeNs % 1_000_000_000n
  if (rest < 0n) {
    rest += 1_000_000_000n
    seconds -= 1n
  }
  const times = new BigInt64Array([0n, UTIME_OMIT, seconds, rest])
  if (libc.utimensat(AT_FDCWD, zeroEnded(path), times, AT_SYMLINK_NOFOLLOW) < 0)
    throw systemError('utimensat', libc.errno(), path)
}

/** As `writeMtime`, where the directory is ours: the time of one like `/tmp` is only its owner's to set, and stays. */
export function writeOwnMtime(path: Buffer, mtimeNs: bigint): void {
  const own = process.geteuid?.()
  if (own === 0 || lstatSync(path).uid === own) writeMtime(path, mtimeNs)
}

/** chmod(2) of the entry itself: Node's own follows a link that came to be there. */
export function chmodEntry(path: Buffer, mode: number): void {
  const descriptor = openSync(path, O_PATH | constants.O_NOFOLLOW)
  try {
    if (!fstatSync(descriptor).isSymbolicLink()) chmodSync(`/proc/self/fd/${descriptor}`, mode)
  } finally {
    closeSync(descriptor)
  }
}

/** As `writeAttributes`, for one who may not give files away: the owner and group stay where they cannot be given. */
export function tryWriteAttributes(path: Buffer, wanted: Attributes, present: Attributes): void {
  try {
    writeAttributes(path, wanted, present)
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error
    writeAttributes(path, { ...wanted, uid: present.uid, gid: present.gid }, present)
  }
}
