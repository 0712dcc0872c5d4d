import { isCmdopError } from '@cmdop/protocol'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { keyOf } from '../disk/path-bytes.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'
import type { Change } from './change.ts'
import { contentHash, realSource } from './content.ts'

/**
 * Finds what was moved: entries that began as the inode of a path that lost it (`movedFrom`, carried out by a rename), and added
 * files with the content of a deleted one (`copyOf`, shown as a move and written anew).
 */
export async function findMoves(changes: readonly Change[]): Promise<void> {
  const released = new Map<string, Change[]>()
  for (const change of changes) if (losesInode(change)) put(released, inodeKey(change, change.before?.ino), change)
  for (const change of changes) {
    if (change.originIno === undefined || change.sameInode || !change.after || change.after.type === 'directory')
      continue
    const from = released.get(inodeKey(change, change.originIno))?.pop()
    if (!from) continue
    change.movedFrom = from
    const before = readReal(from)
    if (before?.ino === from.before?.ino && before) from.before = before
    // Written to, or copied up whole and not changed?
    if (change.source?.where === 'upper' && from.kind === 'deleted') from.sha256 = await realHash(from)
  }
  await findCopies(changes)
}

async function findCopies(changes: readonly Change[]): Promise<void> {
  const taken = new Set(changes.map((change) => change.movedFrom))
  const bySize = new Map<number, Change[]>()
  for (const change of changes) {
    if (change.kind !== 'added' || change.movedFrom || !change.sha256 || !change.after?.size) continue
    put(bySize, change.after.size, change)
  }
  if (bySize.size === 0) return
  for (const change of changes) {
    if (change.kind !== 'deleted' || taken.has(change) || change.before?.type !== 'file') continue
    const candidates = bySize.get(change.before.size)
    if (!candidates?.length) continue
    const sha256 = await realHash(change)
    const index = bestIndex(candidates, sha256, change)
    if (index >= 0) for (const copy of candidates.splice(index, 1)) copy.copyOf = change
  }
}

/** With its extended attributes, which were not read of what is deleted. */
function readReal({ layer, path }: Change): EntryState | undefined {
  using disk = new RealDisk(layer.root)
  try {
    return readState(disk.at(path))
  } catch (error) {
    if (isCmdopError(error) || codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** '' for what cannot be read. */
async function realHash(change: Change): Promise<string> {
  return contentHash(realSource(change), change.before?.size ?? 0).catch(() => '')
}

/** Of several copies the one that keeps the name. */
function bestIndex(candidates: readonly Change[], sha256: string, { path }: Change): number {
  const name = keyOf(path).split('/').at(-1)
  const same = candidates.findIndex((each) => each.sha256 === sha256 && keyOf(each.path).split('/').at(-1) === name)
  return same >= 0 ? same : candidates.findIndex((each) => each.sha256 === sha256)
}

/** True when the inode that is on the real disk at this path will not be there any more. */
function losesInode(change: Change): boolean {
  return change.before !== undefined && change.before.type !== 'directory' && !(change.after && change.sameInode)
}

function inodeKey(change: Change, ino: bigint | undefined): string {
  return `${change.layer.root}\0${ino}`
}

function put<K>(map: Map<K, Change[]>, key: K, change: Change): void {
  const list = map.get(key)
  if (list) list.push(change)
  else map.set(key, [change])
}
