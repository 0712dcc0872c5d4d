import type { AuditCheckpointRow } from '../../store/audit-store.ts'
import { parseSink, type Sink } from './sink.ts'

/** Checkpoints that wait for one sink. When it is away for longer the oldest are left out: a later one covers them. */
const MAX_WAITING = 1000
/** Milliseconds between tries: the first, and the longest. */
const RETRY_MS = 1000
const LONGEST_RETRY_MS = 60_000
/** Milliseconds one try takes at most, and the last ones together when the relay stops. */
const TRY_MS = 10_000
const CLOSE_MS = 3000

type Failed = (error: unknown, sink: string) => void

/** Sends checkpoints away. Nobody waits for it; what fails is said and tried again. */
export class SinkSet {
  readonly #queues: readonly SinkQueue[]

  /** Throws `config` for a setting that means no sink. */
  constructor(settings: readonly string[], failed: Failed) {
    this.#queues = settings.map(
      (setting) => new SinkQueue(parseSink(setting), (error) => failed(error, named(setting))),
    )
  }

  send(checkpoint: AuditCheckpointRow): void {
    for (const queue of this.#queues) queue.add(checkpoint)
  }

  /** Gives what waits one last chance. */
  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close()))
  }
}

class SinkQueue {
  readonly #sink: Sink
  readonly #failed: (error: unknown) => void
  readonly #waiting: AuditCheckpointRow[] = []
  readonly #closing = new AbortController()
  #sending: Promise<void> | undefined
  #skipWait = () => {}

  constructor(sink: Sink, failed: (error: unknown) => void) {
    this.#sink = sink
    this.#failed = failed
  }

  add(checkpoint: AuditCheckpointRow): void {
    this.#waiting.push(checkpoint)
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#skipWait()
    await this.#sending
  }

  async #send(): Promise<void> {
    let retryMs = RETRY_MS
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const isLast = this.#closing.signal.aborted
      try {
        await this.#sink.send(next, AbortSignal.timeout(isLast ? CLOSE_MS : TRY_MS))
        if (this.#waiting[0] === next) this.#waiting.shift()
        retryMs = RETRY_MS
      } catch (error) {
        this.#failed(error)
        if (isLast) return
        await this.#pause(retryMs)
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)
      }
    }
  }

  async #pause(waitMs: number): Promise<void> {
    if (this.#closing.signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs).unref()
      this.#skipWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** For the log: an address may have a secret in its query, or in front of its host. */
function named(setting: string): string {
  return setting.replace(/\?.*$/s, '?…').replace(/\/\/[^/@]*@/, '//…@')
}
