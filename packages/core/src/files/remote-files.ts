import {
  CmdopError,
  FileDeleted,
  FileEntry,
  FileListing,
  type FileWritten,
  MAX_READ_BYTES,
  SearchEnd,
  SearchMatch,
  TreeEnd,
  TreeEntry,
} from '@cmdop/protocol'
import { parseAnswer } from '../answers.ts'
import { concat } from '../channels.ts'
import { cursorPages, itemsOf } from '../pages.ts'
import { contentOf } from './content.ts'
import type { FileCalls } from './file-calls.ts'
import type {
  FileData,
  FileList,
  FilePart,
  FileReadOptions,
  FileSearchOptions,
  FileSearchResult,
  FileTransferOptions,
  FileWriteOptions,
  MachineFiles,
  MachinePath,
} from './machine-files.ts'
import { absolute, wirePath, wireText } from './machine-path.ts'
import { readRemote } from './read-remote.ts'
import { RemoteStore } from './transfer/remote-store.ts'
import { transfer, type TransferOptions, type TransferResult } from './transfer/transfer.ts'
import { writeRemote } from './write-remote.ts'

const DEFAULT_READ_BYTES = 64 * 1024

interface Cancellable {
  signal?: AbortSignal
}

/** Everything below a directory. */
export interface FileTree extends TreeEnd {
  /** Parents before what is in them; first the directory itself, with an empty path. */
  readonly tree: readonly TreeEntry[]
}

/** Files of a machine over the relay. */
export class RemoteFiles implements MachineFiles {
  protected readonly calls: FileCalls

  constructor(calls: FileCalls) {
    this.calls = calls
  }

  /**
   * The files as a session of yours sees them, under its restrictions: in a dry run those of its view, with all its steps so far.
   * Where each command of the session is a transaction of its own, so is each call here.
   */
  inSession(sessionId: string): RemoteFiles {
    return new RemoteFiles(this.calls.inSession(sessionId))
  }

  async read(path: MachinePath, options: FileReadOptions = {}): Promise<FilePart> {
    const { offset = 0, length = DEFAULT_READ_BYTES, signal } = options
    if (length > MAX_READ_BYTES)
      throw new CmdopError('validation', `At most ${MAX_READ_BYTES} bytes are read at once; use readStream for more.`)
    const parts: Uint8Array[] = []
    const reading = readRemote(this.calls, { path, offset, length, signal })
    for (;;) {
      const next = await reading.next()
      if (next.done !== true) parts.push(next.value)
      else return { path, data: join(parts), offset, size: next.value.size }
    }
  }

  /** Content in pieces, as long as it may be; a lost connection is taken up where it broke. */
  readStream(path: MachinePath, options: FileReadOptions = {}): AsyncIterable<Uint8Array> {
    return readRemote(this.calls, { path, ...options })
  }

  write(path: MachinePath, data: FileData, options: FileWriteOptions = {}): Promise<FileWritten> {
    return writeRemote(this.calls, { ...options, path, content: contentOf(data) })
  }

  async list(path: MachinePath, options: { limit?: number; cursor?: string } & Cancellable = {}): Promise<FileList> {
    const { signal, ...page } = options
    const params = { path: wirePath(path), ...page }
    const call = { method: 'file.list', params, answer: FileListing, signal } as const
    const { entries, nextCursor } = await this.calls.askShort(call)
    return { entries, ...(nextCursor === undefined ? {} : { nextCursor }) }
  }

  /** Each entry of a directory, page by page as they are needed. */
  iter(path: MachinePath, options: { limit?: number } & Cancellable = {}): AsyncGenerator<FileEntry> {
    return itemsOf(
      this.pages(path, options),
      ({ name, nameBase64 }) => (nameBase64 === undefined ? `text ${name}` : `bytes ${nameBase64}`),
      options,
    )
  }

  /** Every page of a directory. Ends with the last one, and when a page does not lead on. */
  pages(path: MachinePath, options: { limit?: number } & Cancellable = {}): AsyncGenerator<FileList> {
    return cursorPages((cursor) => this.list(path, { ...options, ...(cursor === undefined ? {} : { cursor }) }))
  }

  stat(path: MachinePath, options: { follow?: boolean } & Cancellable = {}): Promise<FileEntry> {
    const { signal, ...rest } = options
    const params = { path: wirePath(path), ...rest }
    return this.calls.askShort({ method: 'file.stat', params, answer: FileEntry, signal })
  }

  async search(path: MachinePath, options: FileSearchOptions): Promise<FileSearchResult> {
    const { signal, ...rest } = options
    const matches: SearchMatch[] = []
    const params = { path: wirePath(path), ...rest }
    const call = { method: 'file.search', params, answer: SearchMatch, signal } as const
    const end = await this.calls.askLines(call, (match) => matches.push(match))
    return { ...parseAnswer(SearchEnd, end), matches }
  }

  /** A path and everything below it; a link at the path is followed, others are listed. A million entries at most. */
  async tree(path: MachinePath, { signal }: Cancellable = {}): Promise<FileTree> {
    const tree: TreeEntry[] = []
    const call = { method: 'file.tree', params: { path: wirePath(path) }, answer: TreeEntry, signal } as const
    const end = await this.calls.askLines(call, (entry) => {
      if (tree.push(entry) > MAX_TREE_ENTRIES) throw tooLarge()
    })
    return { ...parseAnswer(TreeEnd, end), tree }
  }

  mkdir(path: MachinePath, options: { parents?: boolean; mode?: number } & Cancellable = {}): Promise<FileEntry> {
    const { signal, ...rest } = options
    return this.#change('file.mkdir', { path: wirePath(path), ...rest }, signal)
  }

  /** Makes a symbolic link that points to `target` as it is: an absolute path, or one from the folder of the link. */
  symlink(
    path: MachinePath,
    target: MachinePath,
    options: { overwrite?: boolean } & Cancellable = {},
  ): Promise<FileEntry> {
    const { signal, ...rest } = options
    const wireTarget = typeof target === 'string' ? target : wireText(target)
    return this.#change('file.symlink', { path: wirePath(path), target: wireTarget, ...rest }, signal)
  }

  /** Sets permission bits and time of a file or directory. */
  change(path: MachinePath, options: { mode?: number; modifiedAt?: string } & Cancellable): Promise<FileEntry> {
    const { signal, ...rest } = options
    return this.#change('file.change', { path: wirePath(path), ...rest }, signal)
  }

  copy(from: MachinePath, to: MachinePath, options: FileTransferOptions = {}): Promise<FileEntry> {
    const { signal, ...rest } = options
    return this.#change('file.copy', { from: wirePath(from), to: wirePath(to), ...rest }, signal)
  }

  move(from: MachinePath, to: MachinePath, options: FileTransferOptions = {}): Promise<FileEntry> {
    const { signal, ...rest } = options
    return this.#change('file.move', { from: wirePath(from), to: wirePath(to), ...rest }, signal)
  }

  async delete(
    path: MachinePath,
    options: { recursive?: boolean; missingOk?: boolean } & Cancellable = {},
  ): Promise<number> {
    const { signal, ...rest } = options
    const params = { path: wirePath(path), ...rest }
    return (await this.calls.ask({ method: 'file.delete', params, answer: FileDeleted, signal })).removed
  }

  /** Copies a file or a tree from this machine to another one through this client, a piece at a time. */
  copyTo(
    from: MachinePath,
    to: { readonly files: RemoteFiles; readonly path: MachinePath },
    options: TransferOptions = {},
  ): Promise<TransferResult> {
    const source = { store: this.store(), path: absolute(from) }
    return transfer(source, { store: to.files.store(), path: absolute(to.path) }, options)
  }

  protected store(): RemoteStore {
    return new RemoteStore(this, this.calls)
  }

  #change(
    method: 'file.mkdir' | 'file.symlink' | 'file.change' | 'file.copy' | 'file.move',
    params: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<FileEntry> {
    return this.calls.ask({ method, params, answer: FileEntry, signal })
  }
}

/** Entries of a tree that a client holds. */
const MAX_TREE_ENTRIES = 1_000_000

function tooLarge(): CmdopError {
  return new CmdopError('unsupported', `A tree has at most ${MAX_TREE_ENTRIES} entries; take its parts one by one.`)
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  return concat(
    parts,
    parts.reduce((sum, { length }) => sum + length, 0),
  )
}
