import { CmdopError } from '@cmdop/protocol'
import { joinPath, shownPath } from '../machine-path.ts'
import { inParallel } from './in-parallel.ts'
import type { FileStore, StoredEntry } from './store.ts'

/** How files are transferred. */
export interface TransferOptions {
  /** A directory with all that is in it. */
  recursive?: boolean
  /** False: a file that is there is `conflict`. Default true. */
  overwrite?: boolean
  /** Makes the directories above the destination. */
  createParents?: boolean
  /** Goes on with what an earlier try left, and sends nothing that is there already. */
  resume?: boolean
  /** Times, and every bit of the mode. */
  preserve?: boolean
  onProgress?: (progress: TransferProgress) => void
  /** Cancels. With `resume`, what is half-sent is kept for a while. */
  signal?: AbortSignal
}

/** How far a transfer is. */
export interface TransferProgress {
  /** The file that the news is of. */
  readonly path: string
  readonly bytes: number
  readonly totalBytes: number
  /** Files that are complete. */
  readonly files: number
  readonly totalFiles: number
}

/** What was transferred. */
export interface TransferResult {
  readonly files: number
  readonly directories: number
  readonly links: number
  /** Bytes of the files. */
  readonly bytes: number
  /** Bytes of files that were there already, with `resume`. */
  readonly unchangedBytes: number
  /** What is no file, directory or link, or could not be read. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  /** Files that were written to while they were read: what arrived is what was read. */
  readonly changed: readonly string[]
}

/** One end of a transfer. */
export interface TransferEnd {
  readonly store: FileStore
  readonly path: Uint8Array
}

/** Files under way at a time: small ones wait for answers, not for bytes. */
const PARALLEL = 8

/** Copies a file or a tree from one place to another. Links are made last, so that nothing is written through one. */
export async function transfer(
  from: TransferEnd,
  to: TransferEnd,
  options: TransferOptions = {},
): Promise<TransferResult> {
  const stop = new AbortController()
  const cancel = () => stop.abort(new CmdopError('cancelled', 'The transfer was cancelled.'))
  if (options.signal?.aborted === true) cancel()
  options.signal?.addEventListener('abort', cancel, { once: true })
  try {
    stop.signal.throwIfAborted()
    const listing = await from.store.list(from.path, { recursive: options.recursive === true, signal: stop.signal })
    const run = new TransferRun(from, to, { options, stop, entries: listing.entries })
    run.skipped.push(...listing.unreadable)
    return await run.run()
  } finally {
    options.signal?.removeEventListener('abort', cancel)
  }
}

interface RunOptions {
  readonly options: TransferOptions
  readonly stop: AbortController
  readonly entries: readonly StoredEntry[]
}

class TransferRun {
  readonly skipped: { path: string; reason: string }[] = []
  readonly #from: TransferEnd
  readonly #to: TransferEnd
  readonly #options: TransferOptions
  readonly #stop: AbortController
  readonly #byType: Record<StoredEntry['type'], StoredEntry[]>
  readonly #made = new Set<StoredEntry>()
  readonly #changed: string[] = []
  readonly #totalBytes: number
  #bytes = 0
  #files = 0
  #unchangedBytes = 0

  constructor(from: TransferEnd, to: TransferEnd, { options, stop, entries }: RunOptions) {
    this.#from = from
    this.#to = to
    this.#options = options
    this.#stop = stop
    this.#byType = { file: [], directory: [], symlink: [], other: [] }
    for (const entry of entries) this.#byType[entry.type].push(entry)
    this.#totalBytes = this.#byType.file.reduce((sum, { size }) => sum + size, 0)
  }

  async run(): Promise<TransferResult> {
    const { file, directory, symlink, other } = this.#byType
    for (const { below } of other) this.skipped.push({ path: shownPath(below), reason: 'no file, directory or link' })
    if (other[0]?.below.length === 0)
      throw new CmdopError('unsupported', `${shownPath(this.#from.path)} is no file, directory or link.`)
    for (const level of byDepth(directory)) await this.#each(level, (entry) => this.#makeDirectory(entry))
    await this.#each(file, (entry) => this.#sendFile(entry))
    await this.#each(symlink, (entry) => this.#makeLink(entry))
    for (const level of byDepth(directory).toReversed()) await this.#each(level, (entry) => this.#dressDirectory(entry))
    return {
      files: this.#files,
      directories: directory.length,
      links: symlink.length,
      bytes: this.#bytes,
      unchangedBytes: this.#unchangedBytes,
      skipped: this.skipped,
      changed: this.#changed,
    }
  }

  #each(entries: readonly StoredEntry[], work: (entry: StoredEntry) => Promise<void>): Promise<void> {
    return inParallel(entries, { limit: PARALLEL, stop: this.#stop }, work)
  }

  async #sendFile(entry: StoredEntry): Promise<void> {
    const { signal } = this.#stop
    const { overwrite = true, resume = false, createParents = false, preserve = false } = this.#options
    const content = this.#from.store.content(joinPath(this.#from.path, entry.below), entry, signal)
    const target = joinPath(this.#to.path, entry.below)
    const isRoot = entry.below.length === 0
    let sent = 0
    const onProgress = (bytes: number) => {
      this.#bytes += bytes - sent
      sent = bytes
      this.#report(entry)
    }
    if (resume && (await this.#isThere(entry, target))) {
      this.#unchangedBytes += entry.size
      onProgress(entry.size)
    } else {
      const time = preserve ? { modifiedAt: entry.modifiedAt } : {}
      const mode = this.#modeOf(entry)
      await this.#to.store.write(target, content, {
        mode,
        ...time,
        isRoot,
        overwrite,
        createParents: isRoot && createParents,
        resume,
        signal,
        onProgress,
      })
      if (content.hasChanged) this.#changed.push(shownPath(entry.below))
    }
    this.#files += 1
    this.#report(entry)
  }

  /** Both ends hash what they have; nothing is sent. */
  async #isThere(entry: StoredEntry, target: Uint8Array): Promise<boolean> {
    const options = { size: entry.size, isRoot: entry.below.length === 0, signal: this.#stop.signal }
    const there = await this.#to.store.hashOf(target, options)
    if (there === undefined) return false
    return there === (await this.#from.store.hashOf(joinPath(this.#from.path, entry.below), options))
  }

  async #makeDirectory(entry: StoredEntry): Promise<void> {
    const isRoot = entry.below.length === 0
    const made = await this.#to.store.mkdir(joinPath(this.#to.path, entry.below), {
      // What is in it must be written first.
      mode: this.#modeOf(entry) | 0o700,
      isRoot,
      createParents: isRoot && this.#options.createParents === true,
      signal: this.#stop.signal,
    })
    if (made) this.#made.add(entry)
  }

  async #makeLink({ below, target }: StoredEntry): Promise<void> {
    if (target === undefined) return
    const { overwrite = true } = this.#options
    await this.#to.store.symlink(joinPath(this.#to.path, below), target, { overwrite, signal: this.#stop.signal })
  }

  async #dressDirectory(entry: StoredEntry): Promise<void> {
    const { preserve = false } = this.#options
    const mode = this.#modeOf(entry)
    if (!preserve && (!this.#made.has(entry) || (mode & 0o700) === 0o700)) return
    const time = preserve ? { modifiedAt: entry.modifiedAt } : {}
    await this.#to.store.change(joinPath(this.#to.path, entry.below), { mode, ...time, signal: this.#stop.signal })
  }

  #modeOf({ mode }: StoredEntry): number {
    return mode & (this.#options.preserve === true ? 0o7777 : 0o777)
  }

  #report({ below }: StoredEntry): void {
    this.#options.onProgress?.({
      path: shownPath(below.length === 0 ? this.#from.path : below),
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      files: this.#files,
      totalFiles: this.#byType.file.length,
    })
  }
}

/** Directories of one depth after the other: a directory before what is in it. */
function byDepth(entries: readonly StoredEntry[]): StoredEntry[][] {
  const levels: StoredEntry[][] = []
  for (const entry of entries) {
    const depth = entry.below.length === 0 ? 0 : entry.below.reduce((count, byte) => count + Number(byte === 0x2f), 1)
    ;(levels[depth] ??= []).push(entry)
  }
  return levels.filter((level) => level !== undefined)
}
