import type { Bus } from './bus/bus.ts'
import type { Router } from './channel/router.ts'
import type { Peer } from './channel/peer.ts'
import type { Store } from './store/store.ts'

/** How often every connection is looked at, in milliseconds. */
const CHECK_EVERY_MS = 1000

/** How often life signs go to bus and store, in milliseconds: half of what makes a machine `suspect`. */
const REPORT_EVERY_MS = 10_000

export interface PresenceOptions {
  readonly relayInstance: string
  readonly store: Store
  readonly bus: Bus
  readonly router: Router
  /** Every connection of this relay. */
  peers(): Iterable<Peer>
  /** Life signs could not be written; they are tried again with the next ones. */
  failed(error: unknown): void
}

/** One timer for all connections: pings, dead peers, and life signs to bus and store. */
export class PresenceKeeper {
  readonly #options: PresenceOptions
  readonly #timer: NodeJS.Timeout
  readonly #reported = new Map<string, number>()
  #reportedAt = 0

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#tick(Date.now()), CHECK_EVERY_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Writes what was heard since the last report. */
  async report(): Promise<void> {
    const { bus, router, relayInstance, store } = this.#options
    const heard = [...router.local].map(([machineId, peer]) => ({ machineId, heardAt: peer.link.heardAt }))
    const news = heard.filter(({ machineId, heardAt }) => this.#reported.get(machineId) !== heardAt)
    if (news.length === 0) return
    await bus.heard(relayInstance, news)
    // The store has one time for all: the oldest life sign among them is true for each.
    const oldest = news.reduce((least, { heardAt }) => Math.min(least, heardAt), Number.POSITIVE_INFINITY)
    await store.machines.seen(
      news.map(({ machineId }) => machineId),
      new Date(oldest).toISOString(),
    )
    this.#reported.clear()
    for (const { machineId, heardAt } of heard) this.#reported.set(machineId, heardAt)
  }

  #tick(now: number): void {
    for (const peer of this.#options.peers()) peer.link.check(now)
    if (now - this.#reportedAt < REPORT_EVERY_MS) return
    this.#reportedAt = now
    this.report().catch((error: unknown) => this.#options.failed(error))
  }
}
