import type { ApprovalState, Danger, DeliveryInfo, WebhookKind } from '@cmdop/protocol'

/** Where notifications of a fleet go. */
export interface WebhookRow {
  readonly id: string
  readonly fleetId: string
  /** Whole: its path may be a secret, so it is sealed in the database. */
  readonly url: string
  readonly kind: WebhookKind
  /** Signs what is sent, so it is kept, sealed in the database. */
  readonly secret: string
  readonly events: readonly ApprovalState[]
  readonly minDanger: Danger
  readonly includeCommand: boolean
  readonly enabled: boolean
  readonly createdAt: string
  readonly createdById: string
}

/** One notification to one webhook. */
export interface DeliveryRow {
  readonly id: string
  readonly fleetId: string
  readonly webhookId: string
  /** What it is about: an approval, or the test itself. One webhook is told an event of a subject once. */
  readonly subjectId: string
  readonly event: DeliveryInfo['event']
  /** What is sent, at every try the same. */
  readonly body: string
  readonly state: DeliveryInfo['state']
  /** Tries that have begun. */
  readonly attempts: number
  /** When it is due: for its next try, or, while one goes on, when whoever tries has failed to say how it ended. */
  readonly dueAt: string
  /** Later than this it is not tried again. */
  readonly giveUpAt: string
  readonly status: number | null
  readonly error: string | null
  readonly answer: string | null
  readonly createdAt: string
  readonly endedAt: string | null
}

/** How a try ended. */
export type DeliveryOutcome = Pick<DeliveryRow, 'state' | 'dueAt' | 'status' | 'error' | 'answer' | 'endedAt'>

/** The position after the last row of a page of deliveries, the newest first, then by id. */
export interface DeliveryCursor {
  readonly createdAt: string
  readonly id: string
}

/** Where notifications go, and which went. */
export interface NotificationStore {
  /** Adds a webhook. */
  createWebhook(webhook: WebhookRow): Promise<void>
  /** Those of one fleet, the oldest first. */
  webhooks(fleetId: string): Promise<WebhookRow[]>
  getWebhook(webhookId: string): Promise<WebhookRow | undefined>
  /** False when there is none of this fleet. */
  enableWebhook(fleetId: string, webhookId: string, enabled: boolean): Promise<boolean>
  /** Removes it with all of its deliveries. False when there is none of this fleet. */
  removeWebhook(fleetId: string, webhookId: string): Promise<boolean>
  /** Adds those that are not there yet, by webhook, subject and event; whose webhook is gone are passed over. */
  enqueue(deliveries: readonly DeliveryRow[]): Promise<void>
  /** What waits and is due, the longest first; not of these webhooks. */
  due(now: string, limit: number, exceptWebhooks?: readonly string[]): Promise<DeliveryRow[]>
  /**
   * Takes a try of it, so that nobody else does until `dueAt`: of all who have seen it with these `attempts` one, and undefined for the
   * others.
   */
  claim(delivery: Pick<DeliveryRow, 'id' | 'attempts'>, dueAt: string): Promise<DeliveryRow | undefined>
  /** Notes how the claimed try ended. False when its time was over and somebody else has claimed it. */
  settle(delivery: Pick<DeliveryRow, 'id' | 'attempts'>, outcome: DeliveryOutcome): Promise<boolean>
  /** Those of a webhook of this fleet, the newest first, then by id; `after` continues. */
  deliveries(
    fleetId: string,
    page: { webhookId: string; limit: number; after?: DeliveryCursor },
  ): Promise<DeliveryRow[]>
  /** Forgets what ended before. */
  prune(endedBefore: string): Promise<void>
}

/** A person who has signed in to the pages of the relay. */
export interface PageSessionRow {
  /** SHA-256 of what the browser holds, hex. */
  readonly secretHash: string
  /** The key it stands for: ends with it. */
  readonly keyId: string
  readonly expiresAt: string
}

/** Who is signed in to the pages. */
export interface PageSessionStore {
  /** Adds it, and forgets those whose time was over at `now`. */
  create(session: PageSessionRow, now: string): Promise<void>
  get(secretHash: string, now: string): Promise<PageSessionRow | undefined>
  remove(secretHash: string): Promise<void>
}
