import type { Logger } from 'pino'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { DeliveryRow, WebhookRow } from '../store/notification-store.ts'
import type { Store } from '../store/store.ts'
import { Enqueuer } from './enqueuer.ts'
import type { Poster } from './post.ts'
import { afterTry, GIVE_UP_AFTER_MS } from './retry.ts'

/** How often it is looked whether something is due, in milliseconds, beside when an approval changes. */
const LOOK_EVERY_MS = 1000

/** Tries at once, of all webhooks and of one. */
const MAX_TRIES = 16
const MAX_TRIES_OF_ONE = 4

/** How much longer than a try may last nobody else takes it. */
const LEASE_MARGIN_MS = 2000

/** How long ended deliveries are kept, and how often the older ones are forgotten. */
const KEEP_MS = 30 * 86_400_000
const PRUNE_EVERY_MS = 3_600_000

/** Milliseconds that tries have to end when the relay does. */
const END_WITHIN_MS = 2000

export interface DelivererOptions {
  readonly store: Store
  readonly bus: Bus
  readonly log: Logger
  readonly poster: Pick<Poster, 'post'>
  /** Where people reach this relay, without a slash at its end. */
  readonly publicUrl: () => string
  readonly timeoutMs: number
  /** Milliseconds before a second try. */
  readonly firstWaitMs: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** From 0 to 1. */
  readonly random?: () => number
}

/**
 * Sends notifications: each (approval, state, webhook) is put down once, by whichever relay comes first, and tried by one relay at a
 * time. A relay that is killed in between leaves a row, which this or another relay takes up.
 */
export class Deliverer implements AsyncDisposable {
  readonly #options: Required<DelivererOptions>
  readonly #enqueuer: Enqueuer
  readonly #closing = new AbortController()
  /** Webhook by try. */
  readonly #tries = new Map<Promise<void>, string>()
  readonly #stops: (() => void)[] = []
  #looking: Promise<void> | undefined
  #again = false
  #prunedAt = 0

  constructor(options: DelivererOptions) {
    this.#options = { now: Date.now, random: Math.random, ...options }
    this.#enqueuer = new Enqueuer(this.#options)
  }

  /** Looks from now on, whenever an approval has changed, and from time to time. */
  start(): void {
    const look = () => {
      this.look().catch((err: unknown) => this.#options.log.warn({ err }, 'notifications could not be looked through'))
    }
    const timer = setInterval(look, LOOK_EVERY_MS)
    const stop = this.#options.bus.subscribe(({ type }) => {
      if (type === 'approval-changed') look()
    })
    this.#stops.push(() => clearInterval(timer), stop)
    look()
  }

  /** Puts down what is new and begins every try that is due. Asked meanwhile, it looks again. */
  look(): Promise<void> {
    this.#again = true
    this.#looking ??= this.#lookAgain().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  /** Resolves when nothing is due and no try goes on. */
  async idle(): Promise<void> {
    for (;;) {
      await this.look()
      if (this.#tries.size === 0) return
      await Promise.all(this.#tries.keys())
    }
  }

  /** Sends a test at once, and gives what became of it. */
  async test(webhook: WebhookRow): Promise<DeliveryRow> {
    const now = this.#options.now()
    const id = newId('dlv_')
    const at = new Date(now).toISOString()
    const body = this.#enqueuer.testBody(webhook, at)
    const giveUpAt = new Date(now + GIVE_UP_AFTER_MS).toISOString()
    const none = { status: null, error: null, answer: null, endedAt: null }
    const row: DeliveryRow = {
      id,
      fleetId: webhook.fleetId,
      webhookId: webhook.id,
      subjectId: id,
      event: 'test',
      body,
      state: 'waiting',
      attempts: 1,
      dueAt: this.#leaseEnd(),
      giveUpAt,
      createdAt: at,
      ...none,
    }
    await this.#options.store.notifications.enqueue([row])
    return await this.#try(webhook, row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop()
    const late = setTimeout(() => this.#closing.abort(), END_WITHIN_MS)
    await this.#looking?.catch(() => {})
    await Promise.all(this.#tries.keys())
    clearTimeout(late)
    this.#closing.abort()
  }

  async #lookAgain(): Promise<void> {
    while (this.#again && !this.#closing.signal.aborted) {
      this.#again = false
      await this.#enqueuer.enqueue()
      await this.#begin()
      await this.#prune()
    }
  }

  async #begin(): Promise<void> {
    const { store, now } = this.#options
    while (this.#tries.size < MAX_TRIES) {
      const at = new Date(now()).toISOString()
      const due = await store.notifications.due(at, MAX_TRIES - this.#tries.size, this.#busy())
      let begun = 0
      for (const delivery of due) {
        if (this.#busy().includes(delivery.webhookId)) continue
        const claimed = await store.notifications.claim(delivery, this.#leaseEnd())
        if (claimed === undefined) continue
        begun += 1
        this.#follow(claimed)
      }
      if (begun === 0) return
    }
  }

  /** Webhooks with as many tries as one may have. */
  #busy(): string[] {
    const counts = new Map<string, number>()
    for (const webhookId of this.#tries.values()) counts.set(webhookId, (counts.get(webhookId) ?? 0) + 1)
    return [...counts].filter(([, count]) => count >= MAX_TRIES_OF_ONE).map(([webhookId]) => webhookId)
  }

  #follow(delivery: DeliveryRow): void {
    const { store, log } = this.#options
    const attempt = async () => {
      try {
        const webhook = await store.notifications.getWebhook(delivery.webhookId)
        // One that is removed takes its deliveries with it.
        if (webhook !== undefined) await this.#try(webhook, delivery)
      } catch (err) {
        log.warn({ err, deliveryId: delivery.id }, 'how a notification ended could not be noted')
      }
    }
    const going: Promise<void> = attempt().finally(() => {
      this.#tries.delete(going)
      this.#again = true
      if (!this.#closing.signal.aborted && this.#stops.length > 0) void this.look().catch(() => {})
    })
    this.#tries.set(going, delivery.webhookId)
  }

  async #try(webhook: WebhookRow, delivery: DeliveryRow): Promise<DeliveryRow> {
    const { store, poster, now, random, firstWaitMs, log } = this.#options
    const { signal } = this.#closing
    const answer =
      webhook.enabled || delivery.event === 'test' ? await poster.post(webhook, delivery, signal) : DISABLED
    // What the end of the relay broke off is due again at once.
    const outcome =
      signal.aborted && answer.error !== null
        ? { ...delivery, dueAt: new Date(now()).toISOString() }
        : afterTry(delivery, answer, { now: now(), firstWaitMs, random: random() })
    const { state, dueAt, status, error, answer: text, endedAt } = outcome
    const ended = { state, dueAt, status, error, answer: text, endedAt }
    await store.notifications.settle(delivery, ended)
    const { id: deliveryId, webhookId, attempts } = delivery
    log.info({ deliveryId, webhookId, attempts, state, status, error }, 'a notification was tried')
    return { ...delivery, ...ended }
  }

  #leaseEnd(): string {
    const { now, timeoutMs } = this.#options
    return new Date(now() + timeoutMs + LEASE_MARGIN_MS).toISOString()
  }

  async #prune(): Promise<void> {
    const { store, now } = this.#options
    if (now() - this.#prunedAt < PRUNE_EVERY_MS) return
    this.#prunedAt = now()
    await store.notifications.prune(new Date(now() - KEEP_MS).toISOString())
  }
}

/** What becomes of what was put down for a webhook that is switched off by now. */
const DISABLED = { status: null, error: 'disabled', text: null, retryAfterMs: null }
