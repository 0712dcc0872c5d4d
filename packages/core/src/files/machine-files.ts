import type { FileEntry, FileWritten, SearchEnd, SearchMatch } from '@cmdop/protocol'

/** An absolute path on a machine: text, or the bytes themselves where they are not UTF-8. */
export type MachinePath = string | Uint8Array

interface Cancellable {
  signal?: AbortSignal
}

/** Files of a machine, with the rights of its daemon. */
export interface MachineFiles {
  /** A part of a file. `length` default 64 KiB, at most 8 MiB. */
  read(path: MachinePath, options?: FileReadOptions): Promise<FilePart>
  /** A new content, put in place at once or not at all. */
  write(path: MachinePath, data: FileData, options?: FileWriteOptions): Promise<FileWritten>
  /** Entries of a directory in byte order of their names. `limit` default 200, at most 1,000. */
  list(path: MachinePath, options?: { limit?: number; cursor?: string } & Cancellable): Promise<FileList>
  /** What is at a path; a symbolic link is described itself unless you `follow` it. */
  stat(path: MachinePath, options?: { follow?: boolean } & Cancellable): Promise<FileEntry>
  /** Finds files by name, by content, or both. */
  search(path: MachinePath, options: FileSearchOptions): Promise<FileSearchResult>
  /** With `parents`, a directory that is there is no error, and the ones above it are made too. */
  mkdir(path: MachinePath, options?: { parents?: boolean; mode?: number } & Cancellable): Promise<FileEntry>
  /** Copies on the machine; links as links. */
  copy(from: MachinePath, to: MachinePath, options?: FileTransferOptions): Promise<FileEntry>
  move(from: MachinePath, to: MachinePath, options?: FileTransferOptions): Promise<FileEntry>
  /** Resolves with the number of entries removed. `recursive` for a directory with what is in it; links are not followed. */
  delete(path: MachinePath, options?: { recursive?: boolean; missingOk?: boolean } & Cancellable): Promise<number>
}

/** What is written: text as UTF-8, bytes, or pieces as they come. */
export type FileData = string | Uint8Array | AsyncIterable<Uint8Array>

/** Which part is read. */
export interface FileReadOptions extends Cancellable {
  offset?: number
  length?: number
}

/** How a file is written. */
export interface FileWriteOptions extends Cancellable {
  /** Permission bits. Default: those of the file that is replaced, else 0o644 less the umask. */
  mode?: number
  createParents?: boolean
  /** False: an existing file is `conflict`. Default true. */
  overwrite?: boolean
  /** Only over a file with this SHA-256; `null`: only if there is none. Otherwise `conflict`. */
  ifMatch?: string | null
  /** ISO 8601. Default: now. */
  modifiedAt?: string
}

/** How something is copied or moved on one machine. */
export interface FileTransferOptions extends Cancellable {
  /** Default false: what is in the way is `conflict`. */
  overwrite?: boolean
  /** A directory with all that is in it. */
  recursive?: boolean
}

/** What is looked for; `name`, `content` or both. */
export interface FileSearchOptions extends Cancellable {
  /** Glob over the name: `*`, `?`, `[...]`; with `/` or `**` over the path below the root. */
  name?: string
  /** Text in a line of a regular file; with `regex` a regular expression. */
  content?: string
  regex?: boolean
  ignoreCase?: boolean
  /** Default 200, at most 10,000. */
  maxMatches?: number
  /** Default 64. */
  maxDepth?: number
  /** Larger files are not read for their content. Default 64 MiB. */
  maxFileBytes?: number
}

/** What was found. `truncated` = there is more than `maxMatches`. */
export interface FileSearchResult extends Omit<SearchEnd, 'matches'> {
  readonly matches: readonly SearchMatch[]
}

/** Bytes of a file from `offset`. */
export interface FilePart {
  readonly path: MachinePath
  readonly data: Uint8Array
  readonly offset: number
  /** Size of the whole file in bytes when it was opened. */
  readonly size: number
}

/** One page of a directory. */
export interface FileList {
  readonly entries: readonly FileEntry[]
  /** Pass it on for the next page; absent on the last. */
  readonly nextCursor?: string
}
