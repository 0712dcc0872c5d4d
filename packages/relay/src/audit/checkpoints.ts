import { hash } from 'node:crypto'
import { AuditAnchor, AuditCheckpoint, type AuditHead, isCmdopError, NO_AUDIT_HASH } from '@cmdop/protocol'
import type { AuditCheckpointRow } from '../store/audit-store.ts'
import type { Store } from '../store/store.ts'
import type { AuditTrail } from './audit-trail.ts'
import { headOf } from './seal.ts'
import type { StatementSigner } from './statement-signer.ts'

/** Rows of a fleet after which there is a checkpoint. */
const EVERY_ROWS = 1000
/** Milliseconds after which there is one, if there is any row. */
const EVERY_MS = 60_000
/** Milliseconds after a checkpoint in which rows are not put into the index: what has made so many waits for the store, too. */
const INDEX_AFTER_MS = 2000
/** Relays of a set may make one at the same moment. */
const TRIES = 10

export interface CheckpointsOptions {
  readonly store: Pick<Store, 'audit' | 'auditCheckpoints'>
  readonly trail: AuditTrail
  readonly signer: StatementSigner
  /** A new one; it is durable. */
  readonly made: (checkpoint: AuditCheckpointRow) => void
  readonly failed: (error: unknown) => void
}

/** The last checkpoint of a fleet, or what an anchor says of it. */
interface Last {
  readonly number: number
  readonly hash: string
  readonly heads: readonly AuditHead[]
}

/** Makes the checkpoints of every fleet in which this relay writes. */
export class Checkpoints {
  readonly #options: CheckpointsOptions
  /** Rows since this relay last tried to make a checkpoint, by fleet; fleets whose last one has all of them are not here. */
  readonly #news = new Map<string, number>()
  readonly #making = new Map<string, Promise<AuditCheckpointRow>>()
  readonly #timer: NodeJS.Timeout
  readonly #stop: () => void
  #indexTimer: NodeJS.Timeout | undefined
  #indexing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: CheckpointsOptions) {
    this.#options = options
    this.#stop = options.trail.subscribe((fleetId, rows) => this.#count(fleetId, rows))
    this.#timer = setInterval(() => void this.#makeAll(), EVERY_MS).unref()
  }

  /** A checkpoint of all that is durable now; the last one, if nothing came since. */
  async make(fleetId: string): Promise<AuditCheckpointRow> {
    const running = this.#making.get(fleetId)
    // One that began before may have looked too early.
    if (running !== undefined) await running.catch(() => {})
    const making = this.#making.get(fleetId) ?? this.#try(fleetId).finally(() => this.#making.delete(fleetId))
    this.#making.set(fleetId, making)
    return making
  }

  /** Makes the last ones. */
  async close(): Promise<void> {
    this.#stop()
    clearInterval(this.#timer)
    clearTimeout(this.#indexTimer)
    this.#closed = true
    await this.#indexing
    await Promise.allSettled(this.#making.values())
    await this.#makeAll()
  }

  #count(fleetId: string, rows: number): void {
    const news = (this.#news.get(fleetId) ?? 0) + rows
    this.#news.set(fleetId, news)
    if (news >= EVERY_ROWS && !this.#making.has(fleetId)) this.make(fleetId).catch(this.#options.failed)
  }

  async #makeAll(): Promise<void> {
    for (const fleetId of Array.from(this.#news.keys())) await this.make(fleetId).catch(this.#options.failed)
  }

  /** One that fails is made in the next minute, or after as many rows again. */
  async #try(fleetId: string): Promise<AuditCheckpointRow> {
    this.#news.delete(fleetId)
    try {
      return await this.#make(fleetId)
    } catch (error) {
      this.#news.set(fleetId, this.#news.get(fleetId) ?? 0)
      throw error
    }
  }

  async #make(fleetId: string): Promise<AuditCheckpointRow> {
    const { store, signer, made } = this.#options
    this.#indexSoon()
    for (let tries = 1; ; tries += 1) {
      const newest = await store.auditCheckpoints.newest(fleetId)
      const last = newest === undefined ? await this.#pruned(fleetId) : lastOf(newest)
      const heads = await this.#heads(fleetId, last.heads)
      if (newest !== undefined && isSame(heads, last.heads)) return newest
      const rows = heads.reduce((sum, { sequence }) => sum + sequence, 0)
      const number = last.number + 1
      const signed = signer.sign('checkpoint', fleetId, { number, heads, previous: last.hash, rows })
      const checkpoint = { fleetId, number, ...signed }
      try {
        await store.auditCheckpoints.add(checkpoint)
        made(checkpoint)
        return checkpoint
      } catch (error) {
        if (tries === TRIES || !isCmdopError(error) || error.code !== 'conflict') throw error
      }
    }
  }

  /** So that no question has much to put into it first. */
  #indexSoon(): void {
    if (this.#closed) return
    const { store, failed } = this.#options
    this.#indexTimer ??= setTimeout(() => {
      this.#indexTimer = undefined
      this.#indexing = store.audit.index().catch(failed)
    }, INDEX_AFTER_MS).unref()
  }

  /** Of a chain whose rows are pruned, the last checkpoint knows the end. */
  async #heads(fleetId: string, known: readonly AuditHead[]): Promise<AuditHead[]> {
    const heads = new Map(known.map((head) => [head.chain, head]))
    for (const { chain } of await this.#options.store.audit.chains(fleetId)) {
      const last = await this.#options.store.audit.head(fleetId, chain)
      if (last !== undefined) heads.set(chain, headOf(last))
    }
    return Array.from(heads.values()).toSorted((one, other) => (one.chain < other.chain ? -1 : 1))
  }

  async #pruned(fleetId: string): Promise<Last> {
    const anchor = await this.#options.store.auditCheckpoints.anchor(fleetId)
    if (anchor === undefined) return { number: 0, hash: NO_AUDIT_HASH, heads: [] }
    return AuditAnchor.parse(JSON.parse(anchor.body))
  }
}

/** What a checkpoint says, and its hash. */
export function lastOf({ body }: { readonly body: string }): Last {
  const { number, heads } = AuditCheckpoint.parse(JSON.parse(body))
  return { number, heads, hash: hash('sha256', body) }
}

function isSame(heads: readonly AuditHead[], others: readonly AuditHead[]): boolean {
  return (
    heads.length === others.length &&
    heads.every(({ chain, hash }, index) => {
      const other = others[index]
      return other?.chain === chain && other.hash === hash
    })
  )
}
