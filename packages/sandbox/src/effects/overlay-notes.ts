import type { EntryState } from '../disk/entry-state.ts'
import type { Xattrs } from '../disk/xattrs.ts'
import type { View } from '../view.ts'

/** What overlayfs wrote about an entry of an upper directory. */
export interface OverlayNotes {
  /** Nothing of the lower directory shows through. */
  readonly opaque: boolean
  /** Where the lower entry is: absolute from the layer's root, or a name beside it. */
  readonly redirect?: Buffer
  /** Only owner, mode and attributes are of the upper entry; the content is the lower one's. */
  readonly metacopy: boolean
  /** It began as a copy of a lower entry. */
  readonly copiedUp: boolean
  /** Inode number of that entry, where the note has one. */
  readonly originIno?: bigint
}

/** Splits the attributes of an upper entry into overlayfs's own notes and what the file really has. */
export function splitNotes(xattrs: Xattrs, flavour: View['flavour']): { notes: OverlayNotes; own: Xattrs } {
  if (xattrs.size === 0) return { notes: noNotes, own: xattrs }
  const prefix = `${flavour}.overlay.`
  const own = new Map([...xattrs].filter(([name]) => !name.startsWith(prefix)))
  if (own.size === xattrs.size) return { notes: noNotes, own: xattrs }
  const redirect = xattrs.get(`${prefix}redirect`)
  const origin = xattrs.get(`${prefix}origin`)
  const originIno = origin && inodeOf(origin)
  const notes = {
    opaque: xattrs.get(`${prefix}opaque`)?.toString() === 'y',
    metacopy: xattrs.has(`${prefix}metacopy`),
    copiedUp: origin !== undefined,
    ...(redirect && { redirect }),
    ...(originIno !== undefined && { originIno }),
  }
  return { notes, own }
}

/** True for the mark that a lower entry was deleted: a character device 0. */
export function isWhiteout(state: EntryState): boolean {
  return state.character && state.rdev === 0
}

const noNotes: OverlayNotes = { opaque: false, metacopy: false, copiedUp: false }

/** struct ovl_fb: version, magic, length, flags, type, 16 bytes of uuid, then the file handle of the lower filesystem. */
const HANDLE_AT = 21

/**
 * The inode number in a file handle. ext4 and small xfs: type 1, `ino u32, generation u32`; tmpfs: type 1, `generation, ino low, ino
 * high`; xfs with 64 bits: type 0x81; btrfs: types 0x4d and 0x4e. Others are not known, and then no inode is.
 */
function inodeOf(origin: Buffer): bigint | undefined {
  if (origin.length <= HANDLE_AT || origin[1] !== 0xfb) return undefined
  const handle = origin.subarray(HANDLE_AT, origin[2])
  const type = origin[4]
  // One entry's handle may be padded to whole words.
  if (type === 1 && handle.length === 12)
    return BigInt(handle.readUInt32LE(4)) | (BigInt(handle.readUInt32LE(8)) << 32n)
  if (type === 1 && handle.length >= 8) return BigInt(handle.readUInt32LE(0))
  if ((type === 0x81 || type === 0x4d || type === 0x4e) && handle.length >= 8) return handle.readBigUInt64LE(0)
  return undefined
}
