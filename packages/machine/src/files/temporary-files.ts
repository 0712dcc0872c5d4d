import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UPLOAD_KEPT_MS } from '@cmdop/protocol'
import { z } from 'zod'
import { lookAt } from './file-entry.ts'
import { childPath, splitPath } from './path-bytes.ts'
import { removeAll } from './remove.ts'

const PATTERN = /^\.cmdop-[0-9a-f]{32}\.part$/

const Note = z.object({ path: z.base64() })

interface Kept {
  readonly path: Buffer
  readonly timer: NodeJS.Timeout
}

/**
 * Files and directories on their way into place, beside the place. Each has a line in the daemon's folder, so that a
 * later start of the daemon finds what this one left behind.
 */
export class TemporaryFiles {
  readonly #folder: string | undefined
  readonly #keptMs: number
  readonly #kept = new Map<string, Kept>()
  #prepared: Promise<unknown> | undefined

  /** `folder` is the daemon's own; without one nothing is noted. `keptMs` is for tests. */
  constructor(folder: string | undefined, keptMs = UPLOAD_KEPT_MS) {
    this.#folder = folder
    this.#keptMs = keptMs
  }

  /** The path of a temporary in this folder: the same one for the same key. It is noted before anything is made there. */
  async claim(folder: Buffer, key?: string): Promise<Buffer> {
    const path = temporaryPath(folder, key)
    this.#unkeep(path)
    if (this.#folder === undefined) return path
    this.#prepared ??= mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await this.#prepared
    await writeFile(noteOf(this.#folder, path), JSON.stringify({ path: path.toString('base64') }), { mode: 0o600 })
    return path
  }

  /** It is in its place. */
  async release(path: Buffer): Promise<void> {
    this.#unkeep(path)
    if (this.#folder !== undefined) await rm(noteOf(this.#folder, path), { force: true })
  }

  /** Removes it, with all that is in it. */
  async discard(path: Buffer): Promise<void> {
    await removeAll(path).catch(() => {})
    await this.release(path)
  }

  /** Removes it in a while, unless it is claimed again. */
  keepForNow(path: Buffer, forMs = this.#keptMs): void {
    this.#unkeep(path)
    const timer = setTimeout(() => void this.discard(path).catch(() => {}), forMs)
    timer.unref()
    this.#kept.set(idOf(path), { path, timer })
  }

  /** Removes now what is only kept. */
  async discardKept(): Promise<void> {
    await Promise.all(Array.from(this.#kept.values(), ({ path }) => this.discard(path)))
  }

  /** Removes what an earlier daemon left, once it is old enough. Call it before anything is served. */
  async removeLeftovers(): Promise<void> {
    const folder = this.#folder
    if (folder === undefined) return
    for (const note of await readdir(folder).catch(() => [])) {
      const path = await readNote(join(folder, note))
      const left = path === undefined ? undefined : await lookAt(path).catch(() => undefined)
      const isOurs = path !== undefined && left !== undefined && PATTERN.test(splitPath(path).name.toString())
      if (isOurs) this.keepForNow(path, Math.max(0, Number(left.mtimeMs) + this.#keptMs - Date.now()))
      else await unlink(join(folder, note)).catch(() => {})
    }
  }

  /** Stops the clocks; what is there is left for the next start. */
  close(): void {
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
  }

  #unkeep(path: Buffer): void {
    clearTimeout(this.#kept.get(idOf(path))?.timer)
    this.#kept.delete(idOf(path))
  }
}

function noteOf(folder: string, path: Buffer): string {
  return join(folder, `${idOf(path)}.json`)
}

/** A name for something on its way into place: the same one for the same key, else a new one. */
export function temporaryPath(folder: Buffer, key: string | Buffer = randomBytes(16)): Buffer {
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 32)
  return childPath(folder, Buffer.from(`.cmdop-${digest}.part`))
}

function idOf(path: Buffer): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32)
}

async function readNote(file: string): Promise<Buffer | undefined> {
  try {
    return Buffer.from(Note.parse(JSON.parse(await readFile(file, 'utf8'))).path, 'base64')
  } catch {
    return undefined
  }
}
