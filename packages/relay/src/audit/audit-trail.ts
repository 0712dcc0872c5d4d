import { type AuditRow, toCmdopError } from '@cmdop/protocol'
import type { AuditStore } from '../store/audit-store.ts'
import { type AuditEntry, type AuditOutcome, followingRow, intentRow } from './entry.ts'
import { FleetChain } from './fleet-chain.ts'
import { type ChainNames, isOwnChain } from './recovery.ts'
import { Seldom } from './seldom.ts'

/** Every relay of a set has another name. */
export interface AuditTrailOptions extends ChainNames {
  readonly store: AuditStore
  /** Of this process. */
  readonly relayInstance: string
}

/** An intent whose row is being written. */
export interface AuditIntent {
  readonly id: string
  readonly row: AuditRow
  /** Resolves when it is durable; before that nothing may be done. Rejects with `unavailable`: then nothing may be done at all. */
  readonly written: Promise<void>
}

/** Says more of how it ended: what only the work knows, such as the id of what it made. */
export type Note = (said: Omit<AuditOutcome, 'code' | 'durationMs'>) => void

/** Told how many rows of a fleet have become durable. */
export type Committed = (fleetId: string, rows: number) => void

/** The one writer of the audit log: a row before each action, and one after it. */
export class AuditTrail {
  readonly #options: AuditTrailOptions
  readonly #chains = new Map<string, FleetChain>()
  readonly #listeners = new Set<Committed>()
  readonly #seldom = new Seldom()

  constructor(options: AuditTrailOptions) {
    this.#options = options
  }

  /** Settles what an earlier process of this relay left open, in every fleet in which it wrote. */
  async start(): Promise<void> {
    const own = (await this.#options.store.chains()).filter(({ chain }) => isOwnChain(chain, this.#options))
    for (const fleetId of new Set(own.map((each) => each.fleetId))) await this.#chainOf(fleetId).open()
  }

  /** Something is about to be done; it is allowed unless the entry has another decision. */
  intent(entry: AuditEntry): AuditIntent {
    const row = intentRow(entry)
    return { id: row.id, row, written: this.#append(row) }
  }

  /** Does something between an intent and an outcome. Nothing is done when the intent cannot be written. Throws what it throws. */
  async around<Result>(entry: AuditEntry, work: (note: Note) => Promise<Result>): Promise<Result> {
    const intent = this.intent(entry)
    await intent.written
    const startedAt = performance.now()
    let noted: AuditOutcome = {}
    const settle = (code: string | null) =>
      this.outcome(intent, { ...noted, code, durationMs: Math.round(performance.now() - startedAt) })
    let result: Result
    try {
      result = await work((said) => (noted = { ...noted, ...said }))
    } catch (cause) {
      await settle(toCmdopError(cause, 'server', 'The relay met a fault of its own.').code).catch(() => {})
      throw cause
    }
    // It is done: that its row is missing is told by the next start, which says that it is not known.
    await settle(null).catch(() => {})
    return result
  }

  /** Something was refused, or asked about. Resolves when that is durable. */
  async deny(entry: AuditEntry & { readonly code: string }): Promise<void> {
    await this.#append(intentRow({ decision: 'deny', ...entry }))
  }

  /** {@link deny} of what somebody tries again and again: one row a minute for each `what`. */
  async denySeldom(what: string, entry: AuditEntry & { readonly code: string }): Promise<void> {
    if (!this.#seldom.isDue(what)) return
    try {
      await this.deny(entry)
    } catch (error) {
      this.#seldom.forget(what)
      throw error
    }
  }

  /** Some input of an action that goes on. */
  async progress({ row }: AuditIntent, input: { readonly bytes: number; readonly offset: number }): Promise<void> {
    await this.#append(followingRow(row, 'progress', input))
  }

  /** It is over. Resolves when that is durable. */
  async outcome({ row }: AuditIntent, end: AuditOutcome = {}): Promise<void> {
    await this.#append(followingRow(row, 'outcome', end))
  }

  /** Calls back when rows have become durable; the answer stops that. */
  subscribe(listener: Committed): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Writes what waits, and that this relay has stopped. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#chains.values(), (chain) => chain.close()))
  }

  #append(row: AuditRow): Promise<void> {
    return this.#chainOf(row.fleetId).append(row)
  }

  #chainOf(fleetId: string): FleetChain {
    const known = this.#chains.get(fleetId)
    if (known !== undefined) return known
    const committed = (rows: number) => {
      for (const listener of this.#listeners) listener(fleetId, rows)
    }
    const chain = new FleetChain({ ...this.#options, fleetId, committed })
    this.#chains.set(fleetId, chain)
    return chain
  }
}
