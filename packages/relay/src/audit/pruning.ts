import { AuditAnchor, AuditCheckpoint } from '@cmdop/protocol'
import type { AuditCheckpointRow } from '../store/audit-store.ts'
import type { Store } from '../store/store.ts'
import type { AuditTrail } from './audit-trail.ts'
import { lastOf } from './checkpoints.ts'
import { systemEntry } from './entry.ts'
import type { StatementSigner } from './statement-signer.ts'

const DAY_MS = 86_400_000
/** How long it is waited for an export. */
const EXPORT_WAIT_MS = 60_000
/** Rows that are removed at once: a few milliseconds of the store. */
const ROWS_AT_ONCE = 2000
/** Checkpoints that are read at once. */
const PAGE = 1000

export interface PruningOptions {
  readonly store: Pick<Store, 'audit' | 'auditCheckpoints'>
  readonly trail: AuditTrail
  readonly signer: StatementSigner
  /** Rows are kept for so long at least. */
  readonly days: number
  readonly failed: (error: unknown) => void
}

/** Removes old rows at the start, and every day: up to a checkpoint, behind a signed anchor. */
export class Pruning {
  readonly #options: PruningOptions
  readonly #timer: NodeJS.Timeout
  #retry: NodeJS.Timeout | undefined
  #running: Promise<void>
  #closed = false

  constructor(options: PruningOptions) {
    this.#options = options
    this.#running = this.#prune()
    this.#timer = setInterval(() => this.#again(), DAY_MS).unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    clearTimeout(this.#retry)
    await this.#running
  }

  #again(): void {
    this.#running = this.#running.then(() => this.#prune())
  }

  async #prune(): Promise<void> {
    try {
      const { store, trail, signer, days } = this.#options
      const before = new Date(Date.now() - days * DAY_MS).toISOString()
      const fleets = new Set((await store.audit.chains()).map(({ fleetId }) => fleetId))
      let isHeld = false
      for (const fleetId of fleets) {
        const isPruned = await pruneFleet({ store, trail, signer }, { fleetId, before, isClosed: () => this.#closed })
        isHeld ||= !isPruned
      }
      clearTimeout(this.#retry)
      if (isHeld && !this.#closed) this.#retry = setTimeout(() => this.#again(), EXPORT_WAIT_MS).unref()
    } catch (error) {
      this.#options.failed(error)
    }
  }
}

/**
 * Removes the rows of a fleet up to its newest checkpoint before a time. First the anchor is durable, from which on the
 * rest can be verified; then rows go, in small pieces. Where it is interrupted, the next time goes on. False: an export reads
 * what is to go.
 */
export async function pruneFleet(
  { store, trail, signer }: Pick<PruningOptions, 'store' | 'trail' | 'signer'>,
  { fleetId, before, isClosed = () => false }: { fleetId: string; before: string; isClosed?: () => boolean },
): Promise<boolean> {
  const last = await newestBefore(store, fleetId, before)
  if (last !== undefined && last.number > (await anchored(store, fleetId))) {
    const { number, hash, heads } = lastOf(last)
    const { body, signature } = signer.sign('anchor', fleetId, { number, hash, heads })
    await trail.around(systemEntry(fleetId, 'audit.prune', `checkpoint:${number}`), () =>
      store.auditCheckpoints.addAnchor({ fleetId, number, body, signature, heads }),
    )
  }
  let removed: number | 'held' = 1
  while (!isClosed() && removed !== 'held' && removed > 0)
    removed = await store.auditCheckpoints.prune(fleetId, ROWS_AT_ONCE)
  return removed !== 'held'
}

/** The checkpoint up to which the newest anchor lets go; 0: there is none. */
async function anchored({ auditCheckpoints }: PruningOptions['store'], fleetId: string): Promise<number> {
  const anchor = await auditCheckpoints.anchor(fleetId)
  return anchor === undefined ? 0 : AuditAnchor.parse(JSON.parse(anchor.body)).number
}

async function newestBefore(
  { auditCheckpoints }: PruningOptions['store'],
  fleetId: string,
  before: string,
): Promise<AuditCheckpointRow | undefined> {
  let found: AuditCheckpointRow | undefined
  for (let after = 0; ;) {
    const page = await auditCheckpoints.list(fleetId, { after, limit: PAGE })
    const old = page.filter(({ body }) => AuditCheckpoint.parse(JSON.parse(body)).at < before)
    found = old.at(-1) ?? found
    if (old.length < PAGE) return found
    after = found?.number ?? after
  }
}
