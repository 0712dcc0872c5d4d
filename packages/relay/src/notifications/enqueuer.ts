import { Danger, isCmdopError, type Notification } from '@cmdop/protocol'
import type { Logger } from 'pino'
import { newId } from '../auth/secrets.ts'
import type { ApprovalEventRow, WholeApproval } from '../store/approval-store.ts'
import type { DeliveryRow, WebhookRow } from '../store/notification-store.ts'
import type { Store } from '../store/store.ts'
import { notificationOf } from './payload.ts'
import { GIVE_UP_AFTER_MS } from './retry.ts'
import { slackMessageOf } from './slack.ts'

/** Events that are looked at together. */
const EVENTS_AT_ONCE = 100

export interface EnqueuerOptions {
  readonly store: Store
  readonly log: Logger
  readonly publicUrl: () => string
  readonly now: () => number
}

/** Puts down what is to be sent: of each event of an approval one delivery for each webhook that wants it. */
export class Enqueuer {
  readonly #options: EnqueuerOptions

  constructor(options: EnqueuerOptions) {
    this.#options = options
  }

  /**
   * Until no event is untold. Whoever is killed before an event is marked puts it down again, which changes nothing, because a delivery
   * is there once.
   */
  async enqueue(): Promise<void> {
    const { store } = this.#options
    for (;;) {
      const events = await store.approvals.events.untold(EVENTS_AT_ONCE)
      if (events.length === 0) return
      const webhooks = new Map<string, WebhookRow[]>()
      for (const { fleetId } of events)
        if (!webhooks.has(fleetId)) webhooks.set(fleetId, await store.notifications.webhooks(fleetId))
      for (const event of events) await this.#enqueueEvent(event, webhooks.get(event.fleetId) ?? [])
      await store.approvals.events.told(events.map(({ position }) => position))
    }
  }

  /** What a test sends. */
  testBody(webhook: WebhookRow, at: string): string {
    return textFor(webhook, { event: 'test', at, fleet_id: webhook.fleetId, approval: null, link: null })
  }

  async #enqueueEvent(event: ApprovalEventRow, all: readonly WebhookRow[]): Promise<void> {
    const { store, log } = this.#options
    const webhooks = all.filter(({ enabled, events }) => enabled && events.includes(event.state))
    if (webhooks.length === 0) return
    try {
      const whole = await store.approvals.get(event.approvalId)
      if (whole === undefined) return
      const wanted = webhooks.filter(({ minDanger }) => rank(whole.row.danger) >= rank(minDanger))
      await store.notifications.enqueue(await this.#deliveries(event, whole, wanted))
    } catch (err) {
      // The others are not held up by one that cannot be told.
      if (isCmdopError(err) && err.code === 'unavailable') throw err
      log.error({ err, approvalId: event.approvalId }, 'nobody could be told about an approval')
    }
  }

  async #deliveries(
    event: ApprovalEventRow,
    whole: WholeApproval,
    webhooks: readonly WebhookRow[],
  ): Promise<DeliveryRow[]> {
    const { store, publicUrl, now } = this.#options
    const { row } = whole
    const behalf = row.personId === row.requesterId ? undefined : await store.principals.get(row.personId)
    const link = `${publicUrl()}/approvals/${encodeURIComponent(row.id)}`
    const at = new Date(now()).toISOString()
    const late = new Date(now() + GIVE_UP_AFTER_MS).toISOString()
    return webhooks.map((webhook) => {
      const { includeCommand } = webhook
      return {
        id: newId('dlv_'),
        fleetId: row.fleetId,
        webhookId: webhook.id,
        subjectId: row.id,
        event: event.state,
        body: textFor(webhook, notificationOf({ whole, event, behalf, link, includeCommand })),
        state: 'waiting',
        attempts: 0,
        dueAt: at,
        // That somebody has to decide is of no use once nobody can.
        giveUpAt: event.state === 'pending' && row.expiresAt < late ? row.expiresAt : late,
        status: null,
        error: null,
        answer: null,
        createdAt: at,
        endedAt: null,
      }
    })
  }
}

/** A notification as such a webhook gets it. */
export function textFor({ kind }: WebhookRow, notification: Notification): string {
  return JSON.stringify(kind === 'slack' ? slackMessageOf(notification) : notification)
}

function rank(danger: Danger): number {
  return Danger.options.indexOf(danger)
}
