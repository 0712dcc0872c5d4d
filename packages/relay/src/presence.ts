import type { Bus } from './bus/bus.ts'
import type { Router } from './channel/router.ts'
import type { Peer } from './channel/peer.ts'
import type { Store } from './store/store.ts'

/** How often every connection is looked at, in milliseconds. */
const CHECK_EVERY_MS = 1000

/**
 * How often life signs go to the bus, in milliseconds: a machine is pinged after 15 s of silence and `suspect` after 20 s,
 * and what a relay knows must be known by the others in between.
 */
const TELL_BUS_EVERY_MS = 2000

/** How often they go to the store, in milliseconds. */
const TELL_STORE_EVERY_MS = 10_000

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
  readonly #told = { bus: new Map<string, number>(), store: new Map<string, number>() }
  #busAt = 0
  #storeAt = 0

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#tick(Date.now()), CHECK_EVERY_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Tells bus and store what was heard since they were told last. */
  async report(): Promise<void> {
    await this.#tellBus()
    await this.#tellStore()
  }

  async #tellBus(): Promise<void> {
    const news = this.#news(this.#told.bus)
    if (news.length > 0) await this.#options.bus.heard(this.#options.relayInstance, news)
    remember(this.#told.bus, news, this.#options.router)
  }

  /** The store has one time for all: the oldest life sign among them is true for each. */
  async #tellStore(): Promise<void> {
    const news = this.#news(this.#told.store)
    if (news.length === 0) return
    const oldest = news.reduce((least, { heardAt }) => Math.min(least, heardAt), Number.POSITIVE_INFINITY)
    await this.#options.store.machines.seen(
      news.map(({ machineId }) => machineId),
      new Date(oldest).toISOString(),
    )
    remember(this.#told.store, news, this.#options.router)
  }

  #news(told: ReadonlyMap<string, number>): LifeSign[] {
    const news: LifeSign[] = []
    for (const [machineId, { link }] of this.#options.router.local) {
      if (told.get(machineId) !== link.heardAt) news.push({ machineId, heardAt: link.heardAt })
    }
    return news
  }

  #tick(now: number): void {
    for (const peer of this.#options.peers()) peer.link.check(now)
    if (now - this.#busAt >= TELL_BUS_EVERY_MS) {
      this.#busAt = now
      this.#tellBus().catch((error: unknown) => this.#options.failed(error))
    }
    if (now - this.#storeAt >= TELL_STORE_EVERY_MS) {
      this.#storeAt = now
      this.#tellStore().catch((error: unknown) => this.#options.failed(error))
    }
  }
}

interface LifeSign {
  readonly machineId: string
  readonly heardAt: number
}

/** What was told, of machines that are still here. */
function remember(told: Map<string, number>, news: readonly LifeSign[], router: Router): void {
  for (const { machineId, heardAt } of news) told.set(machineId, heardAt)
  if (told.size === router.local.size) return
  for (const machineId of told.keys()) if (!router.local.has(machineId)) told.delete(machineId)
}
