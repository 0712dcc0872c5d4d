import { type Hash, createHash } from 'node:crypto'
import type { EntryState } from '../disk/entry-state.ts'
import { joinBytes } from '../disk/path-bytes.ts'
import type { Change } from './change.ts'

/**
 * SHA-256 over every change in the order of the paths: what would be written, contents included, and the identity (device, inode,
 * change time, size) of what is there now. Whoever holds the hash holds both the effect and the disk that it was shown for. `sorted`
 * are in that order; `folded` is the hash of those that are not kept. Times of directories are in no hash: they move with every
 * entry that others make beside what is changed.
 */
export function effectHash(sorted: readonly Change[], folded?: string): string {
  const sum = createHash('sha256')
  const groups = new Map<string, number>()
  for (const change of sorted)
    if (change.kind !== 'times') updateHash(sum, change, change.linkGroup && numbered(groups, change.linkGroup))
  if (folded !== undefined) sum.update(folded)
  return sum.digest('hex')
}

/**
 * Adds one change to a hash; `group` tells which names are of one file. The times of a directory are not in it: they move with every
 * entry that others make in it.
 */
export function updateHash(sum: Hash, change: Change, group: number | string | undefined): void {
  if (change.kind === 'times') return
  const path = fullPath(change)
  const before = change.before && identity(change.before)
  const head = [
    change.kind,
    path.length,
    before,
    change.after && wanted(change.after),
    change.sha256,
    group,
    change.sameInode,
  ]
  sum.update(`${JSON.stringify(head)}\n`)
  sum.update(path)
  if (change.after?.target) sum.update(change.after.target)
  for (const [name, value] of change.after?.xattrs ?? [])
    sum.update(`${name.length} ${value.length} ${name}`, 'latin1').update(value)
}

/** By path, so that a directory comes before what is in it. */
export function sortChanges(changes: readonly Change[]): Change[] {
  const keyed = changes.map((change) => ({ change, key: sortKey(fullPath(change)) }))
  return keyed.sort((one, other) => Buffer.compare(one.key, other.key)).map(({ change }) => change)
}

/** A slash sorts before every other byte, so that nothing comes between a directory and what is in it. */
function sortKey(path: Buffer): Buffer {
  const key = Buffer.from(path)
  for (let at = key.indexOf(0x2f); at >= 0; at = key.indexOf(0x2f, at + 1)) key[at] = 0
  return key
}

/** The absolute path of a change. */
export function fullPath({ layer, path }: Pick<Change, 'layer' | 'path'>): Buffer {
  return joinBytes(Buffer.from(layer.root), path)
}

/** A directory's own change time moves with every entry that comes or goes, also of others; what is in it is compared by itself. */
function identity(state: EntryState): string {
  const { type, dev, ino, size, mode, uid, gid } = state
  return [type, dev, ino, size, mode, uid, gid, type === 'directory' ? '' : state.ctimeNs].join(' ')
}

function wanted({ type, size, mode, uid, gid, mtimeNs, rdev, xattrs, target }: EntryState): string {
  return [type, size, mode, uid, gid, mtimeNs, rdev, xattrs.size, target?.length].join(' ')
}

function numbered(groups: Map<string, number>, group: string): number {
  const known = groups.get(group) ?? groups.size
  groups.set(group, known)
  return known
}
