import { CmdopError, isCmdopError, type TreeEntry } from '@cmdop/protocol'
import type { Sha256Hash } from '../../platform.ts'
import type { FileCalls } from '../file-calls.ts'
import { bytesOf } from '../machine-path.ts'
import { readRemote } from '../read-remote.ts'
import type { RemoteFiles } from '../remote-files.ts'
import { writeRemote } from '../write-remote.ts'
import { checkEntries } from './check-entries.ts'
import type { FileStore, Listing, StoredContent, StoredEntry, StoreWrite } from './store.ts'

/** A machine as a place that files come from and go to. */
export class RemoteStore implements FileStore {
  readonly #files: RemoteFiles
  readonly #calls: FileCalls

  constructor(files: RemoteFiles, calls: FileCalls) {
    this.#files = files
    this.#calls = calls
  }

  async list(path: Uint8Array, { recursive, signal }: { recursive: boolean; signal: AbortSignal }): Promise<Listing> {
    if (recursive) {
      const { tree, unreadable } = await this.#files.tree(path, { signal })
      return {
        entries: checkEntries(tree.map(entryOf)),
        unreadable: unreadable.map(({ path: below, errno }) => ({ path: below, reason: errno })),
      }
    }
    const entry = await this.#files.stat(path, { follow: true, signal })
    if (entry.type === 'directory') throw new CmdopError('validation', 'That is a directory; ask for recursive.')
    return { entries: checkEntries([entryOf({ ...entry, path: '' })]), unreadable: [] }
  }

  content(path: Uint8Array, entry: StoredEntry, signal: AbortSignal): StoredContent {
    return new RemoteContent(this.#calls, { path, entry, signal })
  }

  async write(path: Uint8Array, content: StoredContent, options: StoreWrite): Promise<void> {
    const { resume, modifiedAt, isRoot, ...rest } = options
    const time = modifiedAt === undefined ? {} : { modifiedAt }
    const follow = isRoot ? {} : { follow: false }
    const callId = resume ? this.#callIdFor(path, content) : undefined
    await writeRemote(this.#calls, { ...rest, ...time, ...follow, path, content, callId, keepPartial: resume })
  }

  async hashOf(
    path: Uint8Array,
    { size, isRoot, signal }: { size: number; isRoot: boolean; signal: AbortSignal },
  ): Promise<string | undefined> {
    const found = await this.#files.stat(path, { follow: isRoot, signal }).catch(notThere)
    if (found?.type !== 'file' || found.size !== size) return undefined
    // All of it is hashed there, and none of it is sent.
    const reading = readRemote(this.#calls, { path, offset: size, hashFrom: 0, signal })
    const { done, value } = await reading.next()
    return done === true ? value.sha256 : undefined
  }

  async mkdir(
    path: Uint8Array,
    {
      mode,
      isRoot,
      createParents,
      signal,
    }: { mode: number; isRoot: boolean; createParents: boolean; signal: AbortSignal },
  ): Promise<boolean> {
    try {
      if (createParents && (await this.#isDirectory(path, { follow: isRoot, signal }))) return false
      await this.#files.mkdir(path, { mode, parents: createParents, signal })
      return true
    } catch (error) {
      const isThere = isCmdopError(error) && error.code === 'conflict'
      if (!isThere || !(await this.#isDirectory(path, { follow: isRoot, signal }))) throw error
      return false
    }
  }

  async symlink(
    path: Uint8Array,
    target: Uint8Array,
    options: { overwrite: boolean; signal: AbortSignal },
  ): Promise<void> {
    await this.#files.symlink(path, target, options)
  }

  async change(
    path: Uint8Array,
    { mode, modifiedAt, signal }: { mode: number; modifiedAt?: string | undefined; signal: AbortSignal },
  ): Promise<void> {
    await this.#files.change(path, { mode, ...(modifiedAt === undefined ? {} : { modifiedAt }), signal })
  }

  async #isDirectory(path: Uint8Array, options: { follow: boolean; signal: AbortSignal }): Promise<boolean> {
    return (await this.#files.stat(path, options).catch(notThere))?.type === 'directory'
  }

  /** The same for the same content to the same place: so a later try finds what an earlier one left. */
  #callIdFor(path: Uint8Array, content: StoredContent): string | undefined {
    const hash = this.#calls.createHash()
    hash?.update(new TextEncoder().encode(`${this.#calls.place}\n${content.identity}\n`))
    hash?.update(path)
    return hash && `file_${hash.digest().slice(0, 40)}`
  }
}

class RemoteContent implements StoredContent {
  readonly size: number | undefined
  readonly identity: string
  hasChanged = false
  readonly #calls: FileCalls
  readonly #path: Uint8Array
  readonly #version: string
  readonly #signal: AbortSignal

  constructor(
    calls: FileCalls,
    { path, entry, signal }: { path: Uint8Array; entry: StoredEntry; signal: AbortSignal },
  ) {
    this.#calls = calls
    this.#path = path
    this.#version = entry.version
    this.#signal = signal
    this.identity = `${calls.place} ${entry.version}`
    // A file of `/proc` says that it is empty, and is not.
    this.size = entry.size === 0 ? undefined : entry.size
  }

  async *from(offset: number, before?: Sha256Hash): AsyncGenerator<Uint8Array> {
    const length = this.size === undefined ? undefined : Math.max(0, this.size - offset)
    const read = { path: this.#path, offset, length, before, version: this.#version, signal: this.#signal }
    // Whoever writes a piece somewhere has done so before it asks for the next but one.
    const { hasChanged } = yield* readRemote(this.#calls, { ...read, reuse: true })
    this.hasChanged ||= hasChanged
  }
}

function entryOf(entry: TreeEntry): StoredEntry {
  const { path, pathBase64, type, size, mode, modifiedAt, version, target, targetBase64 } = entry
  const link = target === undefined ? {} : { target: bytesOf(target, targetBase64) }
  return { below: bytesOf(path, pathBase64), type, size, mode, modifiedAt, version, ...link }
}

function notThere(error: unknown): undefined {
  if (isCmdopError(error) && error.code === 'not_found') return undefined
  throw error
}
