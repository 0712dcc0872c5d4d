import { CmdopError } from '@cmdop/protocol'
import type { StoredEntry } from './store.ts'

/**
 * The entries of a listing, if nothing in it leads out of the folder that it is put into: what a machine says is not
 * trusted. Each is in a directory of the same listing, so that no link that lies at the destination becomes part of a path.
 */
export function checkEntries(entries: readonly StoredEntry[]): readonly StoredEntry[] {
  const named = entries.map((entry) => ({ entry, path: new TextDecoder('latin1').decode(entry.below) }))
  const folders = new Set(named.filter(({ entry }) => entry.type === 'directory').map(({ path }) => path))
  for (const { entry, path } of named) {
    // The root is what a link there leads to.
    const isFine = path === '' ? entry.type !== 'symlink' : isBelow(path) && folders.has(parentOf(path))
    if (!isFine) throw new CmdopError('protocol', 'The machine named a path that leads out of its tree.')
  }
  return entries
}

function isBelow(path: string): boolean {
  return !path.includes('\0') && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
