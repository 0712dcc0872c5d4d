import type { FileEntry } from '@cmdop/protocol'
import type { Sha256Hash } from '../../platform.ts'
import type { Content } from '../content.ts'

/** A file, directory or link that is to be transferred. */
export interface StoredEntry {
  /** Path below the root in bytes; empty for the root itself. */
  readonly below: Uint8Array
  readonly type: FileEntry['type']
  readonly size: number
  readonly mode: number
  readonly modifiedAt: string
  /** Changes with the content. */
  readonly version: string
  /** Where a link points. */
  readonly target?: Uint8Array
}

/** The root first, directories before what is in them. */
export interface Listing {
  readonly entries: readonly StoredEntry[]
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[]
}

/** Content of a file that is somewhere. */
export interface StoredContent extends Content {
  /** The same for the same content of the same file, wherever it is. */
  readonly identity: string
  /** Known once it was read: the file was written to meanwhile. */
  readonly hasChanged: boolean
  /** With a hash of what lies before `offset`, the whole is checked where that can be. */
  from(offset: number, before?: Sha256Hash): AsyncIterable<Uint8Array>
}

export interface StoreWrite {
  /** A link at the path is followed; else it is replaced, since whoever is copied from may have put it there. */
  readonly isRoot: boolean
  readonly mode: number
  readonly modifiedAt?: string | undefined
  readonly overwrite: boolean
  readonly createParents: boolean
  /** Goes on with what an earlier try left, and leaves what it has when it fails. */
  readonly resume: boolean
  readonly signal: AbortSignal
  /** Bytes that are there by now. */
  readonly onProgress: (bytes: number) => void
}

/** A place that files come from and go to: this computer, or a machine. */
export interface FileStore {
  /** A link at the path itself is followed. Throws `validation` for a directory that is not asked for with `recursive`. */
  list(path: Uint8Array, options: { recursive: boolean; signal: AbortSignal }): Promise<Listing>
  content(path: Uint8Array, entry: StoredEntry, signal: AbortSignal): StoredContent
  /** Puts the content in place whole, or not at all. */
  write(path: Uint8Array, content: StoredContent, options: StoreWrite): Promise<void>
  /** SHA-256 of a file of this size; undefined where there is none. `isRoot` = a link to one will do. */
  hashOf(path: Uint8Array, options: { size: number; isRoot: boolean; signal: AbortSignal }): Promise<string | undefined>
  /** Resolves with whether it was made: a directory that is there stays. `isRoot` = a link to one will do. */
  mkdir(
    path: Uint8Array,
    options: { mode: number; isRoot: boolean; createParents: boolean; signal: AbortSignal },
  ): Promise<boolean>
  symlink(path: Uint8Array, target: Uint8Array, options: { overwrite: boolean; signal: AbortSignal }): Promise<void>
  change(
    path: Uint8Array,
    options: { mode: number; modifiedAt?: string | undefined; signal: AbortSignal },
  ): Promise<void>
}
