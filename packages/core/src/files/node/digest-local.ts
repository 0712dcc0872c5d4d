import { createHash } from 'node:crypto'
import { sep, resolve } from 'node:path'
import { canonicalJson, CmdopError } from '@cmdop/protocol'
import { inParallel } from '../transfer/in-parallel.ts'
import type { StoredEntry } from '../transfer/store.ts'
import { joinPath, shownPath } from '../machine-path.ts'
import { LocalStore } from './local-store.ts'

/** Files that are read at a time. */
const PARALLEL = 4

/** What a file, or a directory with all that is in it, on this computer is. */
export interface LocalDigest {
  /**
   * SHA-256, hex: of a file that of its content; of a directory that of the canonical JSON of its entries in byte order, each with path,
   * type, permission bits, and SHA-256 or target.
   */
  readonly sha256: string
  /** Bytes of its files, and how many there are. */
  readonly bytes: number
  readonly files: number
  /** Changes when something in it is written to, by size and time to the nanosecond. Nothing is read for it. */
  readonly version: string
}

interface DigestOptions {
  /** A directory with all that is in it. */
  readonly recursive?: boolean
  readonly signal?: AbortSignal
}

/** Throws as an upload of it does, and `unsupported` for what has more in it than files, directories and links. */
export async function digestLocal(path: string, options: DigestOptions = {}): Promise<LocalDigest> {
  const { entries, version } = await listed(path, options)
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  const store = new LocalStore()
  const hashes = new Map<StoredEntry, string>()
  const files = entries.filter(({ type }) => type === 'file')
  await inParallel(files, { limit: PARALLEL, stop }, async (entry) => {
    const { below, size } = entry
    const sha256 = await store.hashOf(joinPath(rootOf(path), below), { size, isRoot: below.length === 0, signal })
    if (sha256 === undefined) throw new CmdopError('conflict', `${path} was written to while it was read; try again.`)
    hashes.set(entry, sha256)
  })
  const [root] = entries
  const sha256 = root?.type === 'file' ? hashes.get(root) : treeDigest(entries, hashes)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  if (sha256 === undefined) throw new CmdopError('unsupported', `${path} is no file and no directory.`)
  return { sha256, bytes, files: files.length, version }
}

/** What `version` of its digest would be now. Throws as `digestLocal`. */
export async function localVersion(path: string, options: DigestOptions = {}): Promise<string> {
  return (await listed(path, options)).version
}

async function listed(path: string, { recursive = false, signal }: DigestOptions) {
  const options = { recursive, signal: signal ?? new AbortController().signal }
  const { entries, unreadable } = await new LocalStore().list(rootOf(path), options)
  const [wrong] = unreadable
  if (wrong !== undefined)
    throw new CmdopError('permission', `${wrong.path} in ${path} cannot be read: ${wrong.reason}.`)
  const other = entries.find(({ type }) => type === 'other')
  if (other !== undefined)
    throw new CmdopError('unsupported', `${shownPath(other.below) || path} is no file, directory or link.`)
  const versions = entries.map(({ below, version, mode }) => [Buffer.from(below).toString('hex'), version, mode])
  return { entries, version: sha256Of(JSON.stringify(versions)) }
}

function treeDigest(entries: readonly StoredEntry[], hashes: ReadonlyMap<StoredEntry, string>): string {
  const lines = entries.map((entry) => {
    const { below, type, mode, target } = entry
    const content = target === undefined ? (hashes.get(entry) ?? null) : Buffer.from(target).toString('base64')
    return [Buffer.from(below).toString('base64'), type, mode & 0o777, content]
  })
  return sha256Of(canonicalJson(lines))
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function rootOf(path: string): Uint8Array {
  const whole = resolve(path)
  return Buffer.from(sep === '/' ? whole : whole.replaceAll(sep, '/'))
}
