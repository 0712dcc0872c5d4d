import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError, type RecordingManifest, type RecordingSubject } from '@cmdop/protocol'

/** Bytes of recordings that a machine keeps after the relay has them, the newest. */
export const HISTORY_BYTES = 64 * 1024 * 1024

/** Files that it keeps of them at most. */
const HISTORY_FILES = 1000

export interface SpoolOptions {
  readonly folder: string
  /** Bytes that may wait for the relay. */
  readonly waitingBytes: number
  readonly historyBytes: number
}

/** A file that the relay is to get. */
export interface SpoolFile {
  /** Its name: `rec_x.cast`, or `bat_x.jsonl`. */
  readonly name: string
  readonly path: string
  /** Of a recording that is being written, or of an earlier daemon where it is not known until it was read. */
  subject: RecordingSubject | undefined
  /** Bytes that are in the file, whole lines. */
  bytes: number
  /** Bytes that the relay has. */
  sentBytes: number
  /** Once a recording is over. A batch has none. */
  manifest: RecordingManifest | undefined
  /** Nothing is added any more. */
  isSealed: boolean
  /** The relay does not take it. */
  isRefused: boolean
}

/**
 * The folder in which recordings wait for the relay, and the one in which the newest are kept afterwards. A recording is
 * `rec_x.cast`, and once it is over also `rec_x.manifest.json`; a batch of short ones is `bat_x.jsonl`.
 */
export class Spool {
  readonly folder: string
  readonly #options: SpoolOptions
  readonly #kept: string
  readonly #files = new Map<string, SpoolFile>()
  readonly #history: { name: string; bytes: number }[]
  #historyBytes: number
  #waiting = 0
  /** Called whenever there is more to send. */
  onMore: () => void = () => {}

  constructor(options: SpoolOptions) {
    this.#options = options
    this.folder = options.folder
    this.#kept = join(options.folder, 'kept')
    mkdirSync(this.#kept, { recursive: true, mode: 0o700 })
    this.#history = filesOf(this.#kept).sort((left, right) => left.modified - right.modified)
    this.#historyBytes = this.#history.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { name, bytes } of filesOf(this.folder)) if (isContent(name)) this.#found(name, bytes)
  }

  /** Everything the relay is to get now, the oldest first. */
  get files(): SpoolFile[] {
    return [...this.#files.values()]
  }

  /** Bytes that the relay does not have. */
  get waitingBytes(): number {
    return this.#waiting
  }

  /** Whether a recording is here, or was. */
  has(recordingId: string): boolean {
    const name = `${recordingId}.cast`
    return this.#files.has(name) || this.#history.some((file) => file.name === name)
  }

  hasRoom(bytes: number): boolean {
    return this.#waiting + bytes <= this.#options.waitingBytes
  }

  /** A new file, empty; who calls writes it and says so. */
  add(name: string, subject?: RecordingSubject): SpoolFile {
    const path = join(this.folder, name)
    const file = { name, path, subject, bytes: 0, sentBytes: 0, manifest: undefined, isSealed: false, isRefused: false }
    this.#files.set(name, file)
    return file
  }

  /** So many bytes more are in the file. */
  wrote(file: SpoolFile, bytes: number): void {
    file.bytes += bytes
    if (file.isRefused) file.sentBytes += bytes
    else this.#waiting += bytes
    this.onMore()
  }

  /** Writes the manifest: the recording is over. */
  async complete(file: SpoolFile, manifest: RecordingManifest): Promise<void> {
    try {
      await writeFile(manifestPath(file), JSON.stringify(manifest), { mode: 0o600 })
    } finally {
      // The relay is told even where a later daemon would not know.
      file.manifest = manifest
      file.isSealed = true
      this.onMore()
    }
  }

  /** The relay has the file up to here. */
  sent(file: SpoolFile, upTo: number): void {
    const before = file.sentBytes
    file.sentBytes = Math.min(upTo, file.bytes)
    this.#waiting -= file.sentBytes - before
  }

  /** The relay will not take it. One that still grows goes on growing, for this machine only. */
  async refuse(file: SpoolFile): Promise<void> {
    file.isRefused = true
    if (file.isSealed) await this.done(file)
  }

  /** The relay has all of it: it is history. */
  async done(file: SpoolFile): Promise<void> {
    this.sent(file, file.bytes)
    this.#files.delete(file.name)
    await rename(file.path, join(this.#kept, file.name))
    await rename(manifestPath(file), join(this.#kept, manifestName(file))).catch(() => {})
    this.#history.push({ name: file.name, bytes: file.bytes })
    this.#historyBytes += file.bytes
    await this.#prune()
  }

  /** Forgets a file of which nothing can be read. What is still written to it does not wait for the relay. */
  async drop(file: SpoolFile): Promise<void> {
    file.isRefused = true
    this.sent(file, file.bytes)
    this.#files.delete(file.name)
    await rm(file.path, { force: true })
  }

  /** Bytes at the end of an earlier daemon's file are no whole line: they do not count. */
  shorten(file: SpoolFile, bytes: number): void {
    this.#waiting -= file.bytes - bytes
    file.bytes = bytes
  }

  #found(name: string, bytes: number): void {
    const file = this.add(name)
    file.isSealed = true
    this.wrote(file, bytes)
  }

  async #prune(): Promise<void> {
    while (this.#historyBytes > this.#options.historyBytes || this.#history.length > HISTORY_FILES) {
      const oldest = this.#history.shift()
      if (oldest === undefined) return
      this.#historyBytes -= oldest.bytes
      await rm(join(this.#kept, oldest.name), { force: true })
      await rm(join(this.#kept, manifestName(oldest)), { force: true })
    }
  }
}

/** More waits for the relay than may. */
export function spoolFull(): CmdopError {
  return new CmdopError('recording_failed', 'The relay does not take recordings, and the spool is full.')
}

/** Where the manifest of a recording is. */
export function manifestPath(file: SpoolFile): string {
  return file.path.replace(/\.cast$/, '.manifest.json')
}

function manifestName({ name }: { name: string }): string {
  return name.replace(/\.cast$/, '.manifest.json')
}

function isContent(name: string): boolean {
  return /^rec_[\w-]+\.cast$|^bat_[0-9a-f]{32}\.jsonl$/.test(name)
}

function filesOf(folder: string): { name: string; bytes: number; modified: number }[] {
  return readdirSync(folder)
    .filter(isContent)
    .map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name))
      return { name, bytes: size, modified: mtimeMs }
    })
}
