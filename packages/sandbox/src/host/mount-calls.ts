import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { libc, must } from './libc.ts'
import { parseMounts } from './mount-table.ts'
import { readFileSync } from 'node:fs'

/** Of `<sys/mount.h>`. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
  PRIVATE: 1 << 18,
} as const

const MNT_DETACH = 2
const AT_FDCWD = -100
const AT_RECURSIVE = 0x8000

/** Bits of a bind mount that an unprivileged remount must repeat, since another user set them. */
const kept: Readonly<Record<string, number>> = {
  nosuid: MS.NOSUID,
  nodev: MS.NODEV,
  noexec: MS.NOEXEC,
  noatime: 1024,
  nodiratime: 2048,
  relatime: 1 << 21,
}

/** mount(2). */
export function mount(source: string, target: string, type: string, flags = 0, data: string | null = null): void {
  must(`mount ${type} on ${target}`, libc().mount(source, target, type, flags, data))
}

/** Makes a file or directory appear at another place as well, writable as it is. */
export function bind(source: string, target: string, flags = 0): void {
  must(`bind ${source}`, libc().mount(source, target, null, MS.BIND | flags, null))
}

/** As {@link bind}, for data: what is in it is no program, gives no rights, and is no device. */
export function bindData(source: string, target: string): void {
  bind(source, target)
  must(`mount_setattr ${target}`, setAttributes(target, MS.NOSUID | MS.NODEV | MS.NOEXEC, 0))
}

/** As {@link bind}, and nothing can be changed through it; not even the mode of a device node. */
export function bindReadOnly(source: string, target: string): void {
  bind(source, target)
  makeReadOnly(target)
}

/** As {@link bindReadOnly}, with all mounts below: in a user namespace one may not be taken without what covers parts of it. */
export function bindTreeReadOnly(source: string, target: string): void {
  bind(source, target, MS.REC)
  must(`mount_setattr ${target}`, setAttributes(target, MS.RDONLY, AT_RECURSIVE))
}

/** Makes a mount read-only here, and leaves its file system as it is. */
export function makeReadOnly(target: string): void {
  if (setAttributes(target, MS.RDONLY, 0) !== 0) remountReadOnly(target)
}

/** Since Linux 5.12. The bits of {@link MS} that are set here are the same as those of mount(2). */
function setAttributes(target: string, set: number, flags: number): number {
  // struct mount_attr: what to set, what to clear, propagation, a user namespace.
  const attributes = Buffer.from(new BigUint64Array([BigInt(set), 0n, 0n, 0n]).buffer)
  return libc().syscall('mount_setattr', AT_FDCWD, Buffer.from(`${target}\0`), flags, attributes, attributes.length)
}

function remountReadOnly(target: string): void {
  const present = parseMounts(readFileSync('/proc/thread-self/mountinfo', 'utf8')).findLast(
    ({ path }) => path === target,
  )
  const flags = (present?.options ?? []).reduce((bits, option) => bits | (kept[option] ?? 0), 0)
  must(`remount ${target}`, libc().mount(null, target, null, MS.REMOUNT | MS.BIND | MS.RDONLY | flags, null))
}

/** A file system in memory. */
export function tmpfs(target: string, options: string, flags: number = MS.NOSUID | MS.NODEV): void {
  mount('tmpfs', target, 'tmpfs', flags, options)
}

/** Takes a mount out of the view at once. */
export function detach(target: string): void {
  must(`umount ${target}`, libc().umount2(target, MNT_DETACH))
}

/** Makes an empty file to bind something over. */
export function placeholder(path: string): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
}
