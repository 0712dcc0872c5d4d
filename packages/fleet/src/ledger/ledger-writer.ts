import { setTimeout as wait } from 'node:timers/promises'
import type { FleetRunAppended } from '@cmdop/core'
import {
  type CmdopError,
  type FleetRunAppend,
  type FleetRunStop,
  type FleetRunWait,
  MAX_FLEET_APPEND_BYTES,
  MAX_FLEET_APPEND_ROWS,
  MAX_FLEET_ROW_BYTES,
  toCmdopError,
} from '@cmdop/protocol'
import { persevere } from '../persevere.ts'
import type { FleetRow } from '../run/fleet-row.ts'

/** Milliseconds in which rows gather, and after which the relay is asked whether somebody wants the run to end. */
const GATHER_MS = 100
const ASK_MS = 2000

/** Milliseconds after which it is asked first while the run waits for a person; each time later, up to {@link ASK_MS}. */
const FIRST_ASK_MS = 50

/** Bytes of rows in one request, if it has more than one: less than it may have, as the script holds each of them several times. */
const APPEND_BYTES = Math.min(1024 * 1024, MAX_FLEET_APPEND_BYTES)

/** How a run ends. */
export type FleetRunEnd = 'ended' | 'stopped' | 'cancelled'

/** What `row` of a target is on the wire: all of a {@link FleetRow} but what the target has itself. */
export type WrittenRow = Omit<FleetRow<unknown>, 'machine' | 'outcome' | 'wave'>

export interface LedgerWriterOptions {
  readonly record: (progress: FleetRunAppend) => Promise<FleetRunAppended>
  readonly epoch: number
  /** What the relay says of the run, each time. */
  readonly told: (answer: FleetRunAppended) => void
  /** The ledger takes no more: another script goes on with the run, or the relay is gone. */
  readonly failed: (error: CmdopError) => void
}

/** Writes rows to the ledger, several at once, beside the run: no machine waits for it. */
export class LedgerWriter {
  readonly #options: LedgerWriterOptions
  readonly #waiting: { readonly row: FleetRunAppend['rows'][number]; readonly bytes: number }[] = []
  readonly #stopped = new AbortController()
  readonly #loop: Promise<void>
  #news = Promise.withResolvers<void>()
  #wait: { readonly wait: FleetRunWait | null; readonly written: PromiseWithResolvers<void> } | undefined
  #askMs = ASK_MS
  #waits = false
  #end: { state: FleetRunEnd; stop: FleetRunStop | undefined } | undefined

  constructor(options: LedgerWriterOptions) {
    this.#options = options
    this.#loop = this.#write()
  }

  add({ machine, outcome, result, error, attempts, startedAt, durationMs }: FleetRow<unknown>): void {
    const { row, bytes } = bounded({ result, error, attempts, startedAt, durationMs })
    this.#waiting.push({ row: { machineId: machine.id, outcome, row }, bytes })
    this.#news.resolve()
  }

  /** Writes what the run waits for, null for nothing, and whatever waits to be written. Does not throw: `failed` was told. */
  async wait(wait: FleetRunWait | null): Promise<void> {
    this.#wait?.written.resolve()
    const written = Promise.withResolvers<void>()
    this.#wait = { wait, written }
    this.#news.resolve()
    await Promise.race([written.promise, this.#loop])
  }

  /** Resolves when everything is durable, and how the run ended. Does not throw: `failed` was told. */
  async end(state: FleetRunEnd, stop: FleetRunStop | undefined): Promise<void> {
    this.#end = { state, stop }
    this.#news.resolve()
    this.#stopped.abort()
    await this.#loop
  }

  async #write(): Promise<void> {
    const { failed, told, epoch } = this.#options
    try {
      for (;;) {
        await Promise.race([this.#news.promise, this.#pause(this.#askMs)])
        await this.#pause(GATHER_MS)
        this.#news = Promise.withResolvers()
        const rows = this.#take()
        const end = this.#waiting.length === 0 ? this.#end : undefined
        const waiting = this.#wait
        this.#wait = undefined
        const { state, stop } = end ?? {}
        const ending = { ...(state === undefined ? {} : { state }), ...(stop === undefined ? {} : { stop }) }
        const waits = waiting === undefined ? {} : { wait: waiting.wait }
        const answer = await this.#send({ epoch, rows, ...ending, ...waits })
        this.#askMs = answer.wait === null ? ASK_MS : this.#waits ? Math.min(ASK_MS, this.#askMs * 2) : FIRST_ASK_MS
        this.#waits = answer.wait !== null
        told(answer)
        waiting?.written.resolve()
        if (end !== undefined) return
        if (this.#waiting.length > 0 || this.#end !== undefined || this.#wait !== undefined) this.#news.resolve()
      }
    } catch (cause) {
      failed(toCmdopError(cause, 'server', 'The ledger of the run could not be written.'))
    }
  }

  /** As many as one request may have. */
  #take(): FleetRunAppend['rows'] {
    let sum = 0
    const count = this.#waiting.findIndex(({ bytes }, index) => {
      sum += bytes
      return index >= MAX_FLEET_APPEND_ROWS || (index > 0 && sum > APPEND_BYTES)
    })
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count).map(({ row }) => row)
  }

  async #send(progress: FleetRunAppend): Promise<FleetRunAppended> {
    // The same rows again change nothing.
    return await persevere(() => this.#options.record(progress))
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#stopped.signal.aborted) await wait(ms, undefined, { signal: this.#stopped.signal }).catch(() => {})
  }
}

/** What is too much for the ledger is left out of it, and it says so; the report has it. */
function bounded(row: WrittenRow): { readonly row: Record<string, unknown>; readonly bytes: number } {
  // A character has three bytes at most, and two on the whole.
  const bytes = JSON.stringify(row).length * 2
  return bytes <= MAX_FLEET_ROW_BYTES
    ? { row: { ...row }, bytes }
    : { row: { ...row, result: null, resultLeftOut: true }, bytes: 0 }
}
