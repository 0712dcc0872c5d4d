import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExecEnd, KEPT_RESULT_MS } from '@cmdop/protocol'
import { z } from 'zod'
import { writeDurably } from './durable-file.ts'

/** Results that are kept at most, and their bytes together. The oldest are forgotten first. */
const MAX_RESULTS = 10_000
const MAX_RESULT_BYTES = 256 * 1024 * 1024

/** Milliseconds that a result waits, so that nothing else waits for its disk: who asks has it from memory meanwhile. */
const WRITE_AFTER_MS = 1000

/** Bytes of results that wait at most. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

const SUFFIX = '.result'
const SINCE = 'remembered-since'

/** How a call ended. */
const Header = z.strictObject({
  v: z.literal(1),
  callId: z.string(),
  principalId: z.string(),
  fleetId: z.string(),
  /** null: it did not run to an end, see `failure`. */
  end: ExecEnd.nullable(),
  /** It could not be started, or the daemon ended under it (`lost`). */
  failure: z
    .strictObject({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) })
    .nullable(),
  stdoutBytes: z.number().int(),
  stderrBytes: z.number().int(),
})

/** What is remembered of a call that is over. */
export interface CallResult extends Omit<z.infer<typeof Header>, 'v' | 'stdoutBytes' | 'stderrBytes'> {
  /** What is kept of the streams. */
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

interface Entry {
  readonly bytes: number
  readonly endedAt: number
}

/** A result that is not on the disk yet. */
interface Waiting {
  readonly result: CallResult
  readonly written: PromiseWithResolvers<void>
}

/**
 * How the calls ended that asked for it, one file for each, for seven days and within bounds. `since` says from when on
 * nothing is missing.
 */
export class CallResults {
  readonly #folder: string
  readonly #entries = new Map<string, Entry>()
  readonly #waiting = new Map<string, Waiting>()
  /** Of those that wait, what is being written. */
  readonly #begun = new Set<string>()
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing = Promise.resolve()
  #bytes = 0
  #since: number
  /** Nothing was remembered here before. */
  readonly isFirst: boolean

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const since = this.#readSince()
    this.isFirst = since === undefined
    this.#since = since ?? this.#writeSince(Date.now())
    // What a crash left half written.
    for (const name of readdirSync(folder)) if (name.endsWith('.new')) rmSync(join(folder, name))
    const found = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
    const entries = found.map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name))
      return [name.slice(0, -SUFFIX.length), { bytes: size, endedAt: mtimeMs }] as const
    })
    for (const [callId, entry] of entries.toSorted(([, one], [, other]) => one.endedAt - other.endedAt)) {
      this.#entries.set(callId, entry)
      this.#bytes += entry.bytes
    }
    this.#forgetOld()
  }

  has(callId: string): boolean {
    return this.#entries.has(callId) || this.#waiting.has(callId)
  }

  /** Milliseconds since 1970: of calls that were started from then on, none is forgotten. */
  get since(): number {
    return Math.max(this.#since, Date.now() - KEPT_RESULT_MS)
  }

  /** Of calls before this, milliseconds since 1970, some may not be known: also where that cannot be written. */
  forgetBefore(since: number): void {
    if (since > this.#since) this.#writeSince(since)
  }

  /** Resolves when it is on the disk. When it rejects nobody can say any more that nothing is missing, and `since` says so. */
  async save(result: CallResult): Promise<void> {
    const written = Promise.withResolvers<void>()
    this.#waiting.set(result.callId, { result, written })
    this.#waitingBytes += bytesOf(result)
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#writeAll()
    else this.#timer ??= setTimeout(() => this.#writeAll(), WRITE_AFTER_MS)
    await written.promise
  }

  /** Everything that waits, one after another. */
  #writeAll(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waitingBytes = 0
    const all = [...this.#waiting.values()].filter(({ result }) => !this.#begun.has(result.callId))
    for (const { result } of all) this.#begun.add(result.callId)
    this.#writing = this.#writing.then(async () => {
      for (const { result, written } of all) await this.#write(result).then(written.resolve, written.reject)
    })
  }

  async #write(result: CallResult): Promise<void> {
    const { callId } = result
    try {
      const content = contentOf(result)
      await writeDurably(this.#file(callId), content)
      this.#entries.set(callId, { bytes: content.length, endedAt: Date.now() })
      this.#bytes += content.length
    } catch (error) {
      this.#writeSince(Date.now() + 1)
      throw error
    } finally {
      this.#waiting.delete(callId)
      this.#begun.delete(callId)
    }
    this.#forgetOld()
  }

  /** undefined: there is none, or it cannot be read. */
  async find(callId: string): Promise<CallResult | undefined> {
    const waiting = this.#waiting.get(callId)
    if (waiting !== undefined) return waiting.result
    if (!this.#entries.has(callId)) return undefined
    const content = await readFile(this.#file(callId))
    const lineEnd = content.indexOf('\n')
    const { v: _, stdoutBytes, stderrBytes, ...header } = Header.parse(JSON.parse(content.toString('utf8', 0, lineEnd)))
    const start = lineEnd + 1
    const stdout = content.subarray(start, start + stdoutBytes)
    const stderr = content.subarray(start + stdoutBytes, start + stdoutBytes + stderrBytes)
    return { ...header, stdout, stderr }
  }

  /** Resolves when everything that was to be saved is. */
  async settled(): Promise<void> {
    this.#writeAll()
    await this.#writing
  }

  #forgetOld(): void {
    const expired = Date.now() - KEPT_RESULT_MS
    for (const [callId, { bytes, endedAt }] of this.#entries) {
      const over = this.#entries.size > MAX_RESULTS || this.#bytes > MAX_RESULT_BYTES
      if (!over && endedAt >= expired) return
      // First what is true from now on, then the deed.
      if (over) this.#writeSince(endedAt + 1)
      rmSync(this.#file(callId), { force: true })
      this.#entries.delete(callId)
      this.#bytes -= bytes
    }
  }

  #readSince(): number | undefined {
    try {
      const since = Number(readFileSync(join(this.#folder, SINCE), 'utf8'))
      if (Number.isFinite(since) && since > 0) return since
    } catch {
      // A new folder, or one of which that was lost: what was before is not known.
    }
    return undefined
  }

  #writeSince(since: number): number {
    this.#since = Math.ceil(since)
    writeFileSync(join(this.#folder, SINCE), String(this.#since), { mode: 0o600, flush: true })
    return this.#since
  }

  #file(callId: string): string {
    return join(this.#folder, `${callId}${SUFFIX}`)
  }
}

function bytesOf({ stdout, stderr }: CallResult): number {
  return stdout.length + stderr.length
}

/** A line of JSON, then what is kept of the streams. */
function contentOf({ stdout, stderr, ...header }: CallResult): Buffer {
  const line = { v: 1 as const, ...header, stdoutBytes: stdout.length, stderrBytes: stderr.length }
  return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), stdout, stderr])
}
