import { keyOf, parentOf } from '../disk/path-bytes.ts'
import type { Change } from './change.ts'
import { fullPath } from './effect-hash.ts'

/** Deleted directories and the added ones that all of their files moved to. */
export type MovedDirectories = ReadonlyMap<Change, Change>

/**
 * Pairs directories by their files: `a/x` moved to `b/x` says that `a` became `b`; a directory below that has no files follows the
 * one it is in. An ordinary user's overlay copies directories on rename and keeps no note of it, so both kinds are found alike.
 */
export function findMovedDirectories(changes: readonly Change[]): MovedDirectories {
  const added = new Map<string, Change>()
  const deleted = new Map<string, Change>()
  for (const change of changes) {
    if (change.kind === 'added' && change.after?.type === 'directory') added.set(keyOf(fullPath(change)), change)
    if (change.kind === 'deleted' && change.before?.type === 'directory') deleted.set(keyOf(fullPath(change)), change)
  }
  const pairs = new Map<Change, Change>()
  if (added.size === 0 || deleted.size === 0) return pairs
  for (const change of changes) {
    const from = change.movedFrom ?? change.copyOf
    if (from?.kind === 'deleted' && change.kind === 'added') pairUpwards({ from: fullPath(from), to: fullPath(change) })
  }
  for (const [path, directory] of deleted) follow(path, directory)
  return pairs

  function pairUpwards({ from, to }: { from: Buffer; to: Buffer }): void {
    if (!nameOfKey(keyOf(from)).equals(nameOfKey(keyOf(to)))) return
    const source = deleted.get(keyOf(parentOf(from)))
    const target = added.get(keyOf(parentOf(to)))
    if (!source || !target || pairs.has(source)) return
    pairs.set(source, target)
    pairUpwards({ from: parentOf(from), to: parentOf(to) })
  }

  function follow(path: string, directory: Change): void {
    const above = deleted.get(keyOf(parentOf(Buffer.from(path, 'latin1'))))
    const target = above && pairs.get(above)
    if (!target || pairs.has(directory)) return
    const there = added.get(`${keyOf(fullPath(target))}/${nameOfKey(path).toString('latin1')}`)
    if (there) pairs.set(directory, there)
  }
}

function nameOfKey(key: string): Buffer {
  return Buffer.from(key.slice(key.lastIndexOf('/') + 1), 'latin1')
}
