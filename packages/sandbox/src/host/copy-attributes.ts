import { chmodSync, chownSync, lstatSync, utimesSync } from 'node:fs'
import { libc } from './libc.ts'

const MOST_BYTES = 65_536

/**
 * Makes a new directory like another: what an overlay's root is, comes from its upper directory. What an ordinary user
 * cannot give, such as another owner, is left out.
 */
export function copyAttributes(from: string, to: string): void {
  const { mode, uid, gid, atime, mtime } = lstatSync(from)
  for (const step of [() => chownSync(to, uid, gid), () => copyXattrs(from, to), () => chmodSync(to, mode & 0o7777)])
    attempt(step)
  attempt(() => utimesSync(to, atime, mtime))
}

/** Access lists among them. Notes of an overlay below this one are of that one alone. */
function copyXattrs(from: string, to: string): void {
  const list = Buffer.alloc(MOST_BYTES)
  const length = libc().llistxattr(from, list, list.length)
  const names = length <= 0 ? [] : list.toString('utf8', 0, length - 1).split('\0')
  for (const name of names.filter((each) => !/^(trusted|user)\.overlay\./.test(each))) {
    const value = Buffer.alloc(MOST_BYTES)
    const size = libc().lgetxattr(from, name, value, value.length)
    if (size >= 0) libc().lsetxattr(to, name, value, size, 0)
  }
}

function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // The view has its own there.
  }
}
