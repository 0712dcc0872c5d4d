import { renameSync } from 'node:fs'
import { diskLibc, errno } from './libc.ts'
import { zeroEnded } from './path-bytes.ts'
import { systemError } from './system-error.ts'

const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2

/** Renames to where nothing is; EEXIST when something came to be there. */
export function renameNew(from: Buffer, to: Buffer): void {
  rename({ from, to, flags: RENAME_NOREPLACE })
}

/** Puts two entries in each other's place at once. False where the filesystem cannot. */
export function exchange(one: Buffer, other: Buffer): boolean {
  try {
    rename({ from: one, to: other, flags: RENAME_EXCHANGE })
    return true
  } catch (error) {
    if (error instanceof Error && 'errno' in error && error.errno === -errno.EINVAL) return false
    throw error
  }
}

function rename({ from, to, flags }: { from: Buffer; to: Buffer; flags: number }): void {
  const libc = diskLibc()
  if (libc.renameat2(zeroEnded(from), zeroEnded(to), flags) === 0) return
  const code = libc.errno()
  // A filesystem without flags: nothing was there when it was looked at a moment ago.
  if (code === errno.EINVAL && flags === RENAME_NOREPLACE) return renameSync(from, to)
  throw systemError('renameat2', code, to)
}
