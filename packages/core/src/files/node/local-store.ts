import { createHash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, readlink, rename, rm, stat, symlink, utimes } from 'node:fs/promises'
import { CmdopError, errnoOf, fileError } from '@cmdop/protocol'
import { joinPath } from '../machine-path.ts'
import type { FileStore, Listing, StoredContent, StoredEntry, StoreWrite } from '../transfer/store.ts'
import { readBlocks } from './read-blocks.ts'
import { secondsOf, temporaryBeside, writeLocal } from './write-local.ts'

/** This computer as a place that files come from and go to. */
export class LocalStore implements FileStore {
  async list(path: Uint8Array, { recursive, signal }: { recursive: boolean; signal: AbortSignal }): Promise<Listing> {
    return withPath(path, async () => {
      const root = entryOf(Buffer.alloc(0), await stat(Buffer.from(path), { bigint: true }))
      if (root.type !== 'directory') return { entries: [root], unreadable: [] }
      if (!recursive)
        throw new CmdopError('validation', `${Buffer.from(path).toString()} is a directory; ask for recursive.`)
      const listing = { entries: [root], unreadable: [] }
      await addBelow(Buffer.from(path), { below: Buffer.alloc(0), listing, signal })
      return listing
    })
  }

  content(path: Uint8Array, entry: StoredEntry): StoredContent {
    return new LocalContent(Buffer.from(path), entry)
  }

  write(path: Uint8Array, content: StoredContent, options: StoreWrite): Promise<void> {
    return withPath(path, () => writeLocal(Buffer.from(path), content, options))
  }

  async hashOf(
    path: Uint8Array,
    { size, isRoot, signal }: { size: number; isRoot: boolean; signal: AbortSignal },
  ): Promise<string | undefined> {
    const found = await (isRoot ? stat : lstat)(Buffer.from(path)).catch(() => undefined)
    if (found?.isFile() !== true || found.size !== size) return undefined
    const hash = createHash('sha256')
    const noFollow = isRoot ? 0 : (constants.O_NOFOLLOW ?? 0)
    await using file = await open(Buffer.from(path), constants.O_RDONLY | noFollow)
    for await (const block of readBlocks(file, { start: 0, end: size })) {
      hash.update(block)
      signal.throwIfAborted()
    }
    return hash.digest('hex')
  }

  mkdir(path: Uint8Array, options: { mode: number; isRoot: boolean; createParents: boolean }): Promise<boolean> {
    const folder = Buffer.from(path)
    const look = options.isRoot ? stat : lstat
    const isThere = async () => (await look(folder).catch(() => undefined))?.isDirectory() === true
    return withPath(path, async () => {
      if (await isThere()) return false
      await mkdir(folder, { recursive: options.createParents })
      // Not by mkdir itself: the umask would take bits away.
      await chmod(folder, options.mode)
      return true
    })
  }

  async symlink(path: Uint8Array, target: Uint8Array, { overwrite }: { overwrite: boolean }): Promise<void> {
    await withPath(path, async () => {
      if (!overwrite) return symlink(Buffer.from(target), Buffer.from(path))
      const beside = temporaryBeside(Buffer.from(path))
      try {
        await symlink(Buffer.from(target), beside)
        await rename(beside, Buffer.from(path))
      } catch (error) {
        await rm(beside, { force: true })
        throw error
      }
      return undefined
    })
  }

  async change(
    path: Uint8Array,
    { mode, modifiedAt }: { mode: number; modifiedAt?: string | undefined },
  ): Promise<void> {
    await withPath(path, async () => {
      if (modifiedAt !== undefined) await utimes(Buffer.from(path), secondsOf(modifiedAt), secondsOf(modifiedAt))
      await chmod(Buffer.from(path), mode)
    })
  }
}

class LocalContent implements StoredContent {
  readonly size: number | undefined
  readonly identity: string
  hasChanged = false
  readonly #path: Buffer
  readonly #version: string

  constructor(path: Buffer, entry: StoredEntry) {
    this.#path = path
    this.#version = entry.version
    this.identity = `local ${entry.version}`
    this.size = entry.size === 0 ? undefined : entry.size
  }

  async *from(offset: number): AsyncGenerator<Uint8Array> {
    const end = (this.size ?? Number.MAX_SAFE_INTEGER) - 1
    if (offset > end) return
    await using file = await withPath(this.#path, () => open(this.#path))
    const version = versionOf(await file.stat({ bigint: true }))
    if (version !== this.#version && offset > 0)
      throw new CmdopError('conflict', `${this.#path.toString()} has changed since the transfer began; start it again.`)
    for await (const block of readBlocks(file, { start: offset, end: end + 1 })) yield block
    this.hasChanged ||= versionOf(await file.stat({ bigint: true })) !== this.#version
  }
}

interface Walk {
  readonly below: Buffer
  readonly listing: { entries: StoredEntry[]; unreadable: { path: string; reason: string }[] }
  readonly signal: AbortSignal
}

/** Everything in a folder, in byte order; links as themselves. */
async function addBelow(root: Buffer, { below, listing, signal }: Walk): Promise<void> {
  signal.throwIfAborted()
  const names = await readdir(Buffer.from(joinPath(root, below)), { encoding: 'buffer' })
  for (const name of names.sort((left, right) => Buffer.compare(left, right))) {
    const inner = Buffer.from(joinPath(below, name))
    const path = Buffer.from(joinPath(root, inner))
    try {
      const found = await lstat(path, { bigint: true })
      const target = found.isSymbolicLink() ? { target: await readlink(path, { encoding: 'buffer' }) } : {}
      listing.entries.push({ ...entryOf(inner, found), ...target })
      if (found.isDirectory()) await addBelow(root, { below: inner, listing, signal })
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      if (errno !== 'ENOENT') listing.unreadable.push({ path: inner.toString(), reason: errno })
    }
  }
}

function entryOf(below: Buffer, found: BigIntStats): StoredEntry {
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : 'other'
  return {
    below,
    type,
    size: Number(found.size),
    mode: Number(found.mode & 0o7777n),
    modifiedAt: found.mtime.toISOString(),
    version: versionOf(found),
  }
}

function versionOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join('-')
}

async function withPath<Value>(path: Uint8Array, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    throw errnoOf(error) === undefined ? error : fileError(error, Buffer.from(path).toString())
  }
}
