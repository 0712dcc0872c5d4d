import { setTimeout as wait } from 'node:timers/promises'
import {
  CmdopError,
  type FleetRunAppend,
  type FleetRunAppended,
  type FleetRunState,
  type FleetRunStop,
  MAX_FLEET_APPEND_BYTES,
  MAX_FLEET_APPEND_ROWS,
  MAX_FLEET_ROW_BYTES,
  toCmdopError,
} from '@cmdop/protocol'
import type { FleetRow } from '../run/fleet-row.ts'

/** Milliseconds in which rows gather, and after which the relay is asked whether somebody wants the run to end. */
const GATHER_MS = 20
const ASK_MS = 2000

/** Milliseconds for which a relay that does not answer is tried again. */
const TRY_FOR_MS = 60_000
const PAUSE_MS = 250

/** What `row` of a target is on the wire: all of a {@link FleetRow} but what the target has itself. */
export type WrittenRow = Omit<FleetRow<unknown>, 'machine' | 'outcome' | 'wave'>

export interface LedgerWriterOptions {
  readonly record: (progress: FleetRunAppend) => Promise<FleetRunAppended>
  readonly epoch: number
  /** Somebody wants the run to end. */
  readonly cancelRequested: () => void
  /** The ledger takes no more: another script goes on with the run, or the relay is gone. */
  readonly failed: (error: CmdopError) => void
}

/** Writes rows to the ledger, several at once, beside the run: no machine waits for it. */
export class LedgerWriter {
  readonly #options: LedgerWriterOptions
  readonly #waiting: FleetRunAppend['rows'] = []
  readonly #stopped = new AbortController()
  readonly #loop: Promise<void>
  #news = Promise.withResolvers<void>()
  #end: { state: FleetRunState; stop: FleetRunStop | undefined } | undefined

  constructor(options: LedgerWriterOptions) {
    this.#options = options
    this.#loop = this.#write()
  }

  add({ machine, outcome, result, error, attempts, startedAt, durationMs }: FleetRow<unknown>): void {
    const row = bounded({ result, error, attempts, startedAt, durationMs })
    this.#waiting.push({ machineId: machine.id, outcome, row })
    this.#news.resolve()
  }

  /** Resolves when everything is durable, and how the run ended. Does not throw: `failed` was told. */
  async end(state: FleetRunState, stop: FleetRunStop | undefined): Promise<void> {
    this.#end = { state, stop }
    this.#news.resolve()
    this.#stopped.abort()
    await this.#loop
  }

  async #write(): Promise<void> {
    const { failed, cancelRequested, epoch } = this.#options
    try {
      for (;;) {
        await Promise.race([this.#news.promise, this.#pause(ASK_MS)])
        await this.#pause(GATHER_MS)
        this.#news = Promise.withResolvers()
        const rows = this.#take()
        const end = this.#waiting.length === 0 ? this.#end : undefined
        const { state, stop } = end ?? {}
        const ending = { ...(state === undefined ? {} : { state }), ...(stop === undefined ? {} : { stop }) }
        const answer = await this.#send({ epoch, rows, ...ending })
        if (answer.cancelRequested) cancelRequested()
        if (end !== undefined) return
        if (this.#waiting.length > 0 || this.#end !== undefined) this.#news.resolve()
      }
    } catch (cause) {
      failed(toCmdopError(cause, 'server', 'The ledger of the run could not be written.'))
    }
  }

  /** As many as one request may have. */
  #take(): FleetRunAppend['rows'] {
    let bytes = 0
    const count = this.#waiting.findIndex((row, index) => {
      bytes += JSON.stringify(row).length * 2
      return index >= MAX_FLEET_APPEND_ROWS || (index > 0 && bytes > MAX_FLEET_APPEND_BYTES)
    })
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count)
  }

  async #send(progress: FleetRunAppend): Promise<FleetRunAppended> {
    for (const end = performance.now() + TRY_FOR_MS; ;) {
      try {
        return await this.#options.record(progress)
      } catch (cause) {
        const error = toCmdopError(cause, 'server', 'The ledger of the run could not be written.')
        // The same rows again change nothing.
        const isPassing = error.retryable || error.code === 'connection' || error.code === 'timeout'
        if (!isPassing || performance.now() > end) throw error
        await wait(PAUSE_MS)
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#stopped.signal.aborted)
      await wait(ms, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => {})
  }
}

/** What is too much for the ledger is left out of it, and it says so; the report has it. */
function bounded(row: WrittenRow): Record<string, unknown> {
  if (JSON.stringify(row).length * 2 <= MAX_FLEET_ROW_BYTES) return { ...row }
  return { ...row, result: null, resultLeftOut: true }
}
