import { type AuditRow, CmdopError, isCmdopError } from '@cmdop/protocol'
import { newId } from '../auth/secrets.ts'
import type { AuditStore } from '../store/audit-store.ts'
import { followingRow, intentRow, systemEntry } from './entry.ts'
import { type ChainNames, closeSideChains, START, unknownOutcomes } from './recovery.ts'
import { type ChainHead, emptyChain, headOf, sealRows } from './seal.ts'

/** Rows in one insert at most: far below what a statement has parameters. */
const MAX_BATCH = 256

/** Rows that wait at most; one more is refused with `unavailable`, and what it was for does not happen. */
const MAX_WAITING = 65_536

export interface FleetChainOptions extends ChainNames {
  readonly store: AuditStore
  readonly fleetId: string
  /** Of this process. */
  readonly relayInstance: string
  /** Rows are durable. */
  readonly committed: (rows: number) => void
}

interface Waiting {
  /** Undefined: only the beginning of this process is wanted. */
  readonly row: AuditRow | undefined
  resolve(): void
  reject(error: CmdopError): void
}

/**
 * Writes the rows of one fleet, one batch after another: what comes while a batch is written is the next one, so that
 * batches grow with the load. The head moves only after the commit. Where another writer has taken the next place, this
 * one goes on with a chain of its own.
 */
export class FleetChain {
  readonly #options: FleetChainOptions
  readonly #waiting: Waiting[] = []
  #head: ChainHead | undefined
  #started: AuditRow | undefined
  /** A row was refused, so an intent may have no outcome. */
  #hasLost = false
  #writing: Promise<void> | undefined

  constructor(options: FleetChainOptions) {
    this.#options = options
  }

  /** Resolves when the row is durable. Rejects with `unavailable` when it is not, and then it never will be. */
  append(row: AuditRow | undefined): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#hasLost = true
      return Promise.reject(new CmdopError('unavailable', `${MAX_WAITING} audit rows wait already; try again later.`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, resolve, reject })
      // Within this tick, so that the statement goes to the store with whatever else the tick asks of it.
      this.#writing ??= Promise.resolve().then(() => this.#write())
    })
  }

  /** Reads where the chain has got to, and says what became of intents that an earlier process left open. */
  async open(): Promise<void> {
    await this.append(undefined)
  }

  /**
   * Writes what waits, and that the relay has stopped. Not the second where a row was lost: then the next start looks for
   * intents without an outcome, as after a relay that was killed.
   */
  async close(): Promise<void> {
    await this.#writing
    const started = this.#started
    if (started === undefined || this.#hasLost) return
    this.#started = undefined
    const durationMs = Date.now() - Date.parse(started.at)
    await this.append(followingRow(started, 'outcome', { durationMs }))
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchOf(this.#waiting.length))
      try {
        await this.#insert(batch.flatMap(({ row }) => row ?? []))
        for (const waiting of batch) waiting.resolve()
      } catch (cause) {
        this.#hasLost = true
        const error = notWritten(cause)
        for (const waiting of batch) waiting.reject(error)
      }
    }
    this.#writing = undefined
  }

  async #insert(rows: readonly AuditRow[]): Promise<void> {
    this.#head ??= await this.#resume()
    if (rows.length > 0) await this.#add(rows)
  }

  /** Behind the head; behind that of a new chain when somebody else was faster. */
  async #add(rows: readonly AuditRow[]): Promise<void> {
    try {
      await this.#addTo(this.#head ?? emptyChain(this.#options.name), rows)
    } catch (cause) {
      if (!isCmdopError(cause) || cause.code !== 'conflict') throw cause
      await this.#addTo(await this.#begin(`${this.#options.name}~${newId('').slice(0, 12)}`), rows)
    }
  }

  async #addTo(head: ChainHead, rows: readonly AuditRow[]): Promise<void> {
    const next = sealRows(rows, head)
    await this.#options.store.append(next.sealed)
    this.#head = next.head
    this.#options.committed(rows.length)
  }

  async #begin(chain: string): Promise<ChainHead> {
    await this.#options.store.begin(this.#options.fleetId, chain)
    return emptyChain(chain)
  }

  /** The head of the chain after what a former process left is settled, and this one's start is written. */
  async #resume(): Promise<ChainHead> {
    const { store, fleetId, name } = this.#options
    await closeSideChains(store, fleetId, this.#options)
    const last = await store.head(fleetId, name)
    this.#head = last === undefined ? await this.#begin(name) : headOf(last)
    try {
      for await (const rows of unknownOutcomes(store, { fleetId, chain: name, last })) await this.#add(rows)
      const started = intentRow(systemEntry(fleetId, START, `relay:${this.#options.relayInstance}`))
      await this.#add([started])
      this.#started = started
      return this.#head
    } catch (cause) {
      this.#head = undefined
      throw cause
    }
  }
}

/** Few different sizes, because each is a statement of its own. */
function batchOf(waiting: number): number {
  if (waiting <= 16) return waiting
  return Math.min(MAX_BATCH, 2 ** Math.floor(Math.log2(waiting)))
}

function notWritten(cause: unknown): CmdopError {
  return new CmdopError('unavailable', 'The audit log cannot be written, so nothing is done; look at the store.', {
    cause,
  })
}
