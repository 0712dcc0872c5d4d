import type { EntryState } from '../disk/entry-state.ts'
import type { ViewLayer } from '../view.ts'
import type { FoldedChanges } from './folded.ts'

/** Where the content of a file of the view is kept: in an upper directory, or on the real disk. The path is relative to that `root`. */
export interface ContentSource {
  readonly where: 'upper' | 'real'
  readonly root: string
  readonly path: Buffer
}

/**
 * How one path of the view differs from the real disk. `times` is a directory of which only the modification time differs: it is
 * applied where nobody else changed that directory, but neither listed nor in the hash, since every entry that comes or goes
 * changes it.
 */
export interface Change {
  readonly kind: 'added' | 'deleted' | 'modified' | 'replaced' | 'metadata' | 'times'
  readonly layer: ViewLayer
  /** Relative to the layer's root; '' is the root. */
  readonly path: Buffer
  /** On the real disk when the effect was computed. Of what is deleted and not moved, the extended attributes are not read. */
  before?: EntryState
  /** In the view. */
  readonly after?: EntryState
  readonly source?: ContentSource
  /** SHA-256 of the content, of a regular file whose content is not the same as before. */
  sha256?: string
  /** The inode is the one that is at this path: content is written into it. */
  readonly sameInode?: boolean
  /** Inode number on the real disk that the entry began as. */
  readonly originIno?: bigint
  /** Set when that inode comes from another path. */
  movedFrom?: Change
  /** A deleted file of the same content, shown as where it comes from. */
  copyOf?: Change
  /** Equal for all names of one file in the view. */
  readonly linkGroup?: string
}

/** A file in the view that has several names, one of which did not change. */
export interface LinkAnchor {
  readonly layer: ViewLayer
  readonly path: Buffer
  /** On the real disk. */
  readonly ino: bigint
}

/** All that a view changes, in the order of the walk. */
export interface Changes {
  readonly changes: Change[]
  readonly anchors: ReadonlyMap<string, LinkAnchor>
  /** Changes beyond those that are kept. */
  readonly folded: FoldedChanges
  /** What could not be looked into. */
  readonly unread: { readonly path: Buffer; readonly why: string }[]
}
