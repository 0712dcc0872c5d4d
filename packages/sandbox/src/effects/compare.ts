import { type EntryState, sameOwnerAndMode } from '../disk/entry-state.ts'
import { joinBytes } from '../disk/path-bytes.ts'
import { conflictAt } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'
import { sameXattrs } from '../disk/xattrs.ts'
import type { ViewLayer } from '../view.ts'
import type { Change, ContentSource } from './change.ts'
import { contentHash, realSource } from './content.ts'

/** An entry of the view beside what is at its path on the real disk. */
interface Entry {
  readonly layer: ViewLayer
  readonly path: Buffer
  readonly after: EntryState
  readonly before: EntryState | undefined
  /** Absent of directories. */
  readonly source?: ContentSource
  readonly copiedUp?: boolean
  readonly originIno?: bigint
  readonly linkGroup?: string
}

/** What changed at one path of the view; undefined when nothing did. */
export async function compareEntry(entry: Entry): Promise<Change | undefined> {
  const { before, after } = entry
  if (!before) return change(entry, 'added', await hashOf(entry))
  if (before.type !== after.type || isOtherService(entry)) return change(entry, 'replaced', await hashOf(entry))
  const content = await compareContent(entry, before)
  if (!content.same) return change(entry, 'modified', content.sha256)
  if (!sameOwnerAndMode(before, after) || !sameXattrs(before.xattrs, after.xattrs)) return change(entry, 'metadata')
  if (before.mtimeNs === after.mtimeNs) return otherInode(entry) ? change(entry, 'metadata') : undefined
  return change(entry, after.type === 'directory' ? 'times' : 'metadata')
}

function change(entry: Entry, kind: Change['kind'], sha256?: string): Change {
  const { layer, path, before, after, source, originIno, linkGroup } = entry
  return {
    kind,
    layer,
    path,
    after,
    sameInode: isSameInode(entry),
    ...(before && { before }),
    ...(source && after.type === 'file' && { source }),
    ...(sha256 && { sha256 }),
    ...(originIno !== undefined && { originIno }),
    ...(linkGroup && { linkGroup }),
  }
}

/**
 * Whether the view's file began as the one at this path. Of a file with several names overlayfs breaks the link and keeps no
 * origin, so that only this name changes, as the view shows; without an inode number (a user's overlay) the note itself says it.
 */
function isSameInode({ before, after, originIno, copiedUp }: Entry): boolean {
  if (!before || before.type !== after.type) return false
  if (after.type === 'directory') return true
  if (originIno !== undefined) return originIno === before.ino && before.nlink === 1
  return copiedUp === true && before.nlink === 1
}

/** A name of a file that the view gives another inode, with nothing else to tell them apart: a hard link of another file. */
function otherInode(entry: Entry): boolean {
  return entry.linkGroup !== undefined && entry.originIno !== undefined && entry.originIno !== entry.before?.ino
}

/** A socket or pipe made anew where a service has one: the service would lose it. */
function isOtherService({ after, copiedUp }: Entry): boolean {
  return (after.type === 'socket' || after.type === 'fifo') && copiedUp !== true
}

async function compareContent(entry: Entry, before: EntryState): Promise<{ same: boolean; sha256?: string }> {
  const { after, source } = entry
  if (after.type === 'symlink') return { same: before.target?.equals(after.target ?? Buffer.alloc(0)) === true }
  if (after.type === 'device') return { same: before.rdev === after.rdev && before.character === after.character }
  if (after.type !== 'file' || !source) return { same: true }
  const real = realSource(entry)
  if (source.where === 'real' && source.path.equals(real.path)) return { same: true }
  const sha256 = await hashOf(entry)
  if (before.size !== after.size) return { same: false, sha256 }
  try {
    return { same: (await contentHash(real, before.size)) === sha256, sha256 }
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    // A file that its owner cannot read either: a copy that nobody wrote to keeps the time.
    return { same: before.mtimeNs === after.mtimeNs, sha256 }
  }
}

/** A file of which only the attributes are in the view has its content on the real disk, where others may have removed it. */
async function hashOf({ layer, path, after, source }: Entry): Promise<string> {
  if (after.type !== 'file' || !source) return ''
  try {
    return await contentHash(source, after.size)
  } catch (error) {
    if (source.where !== 'real' || codeOf(error) !== 'ENOENT') throw error
    throw conflictAt(joinBytes(Buffer.from(layer.root), path), 'has lost its content: others removed it from the disk')
  }
}
