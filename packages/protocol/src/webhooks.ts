import { z } from 'zod'
import { ApprovalState, Danger } from './approvals.ts'
import { ScheduleNotice, ScheduleRunStatus } from './schedules.ts'

const instant = z.iso.datetime()

/** Webhooks of a fleet at most. */
export const MAX_WEBHOOKS = 50

/** Who reads what is sent: a program of yours, or Slack and what takes its incoming webhooks. */
export const WebhookKind = z.enum(['generic', 'slack'])
export type WebhookKind = z.infer<typeof WebhookKind>

/** What is told unless chosen: that somebody has to decide, and how that ended. */
export const DEFAULT_WEBHOOK_EVENTS: readonly ApprovalState[] = ['pending', 'approved', 'denied', 'expired', 'void']

/** Where to send notifications, as lists show it. */
export const WebhookInfo = z.object({
  id: z.string(),
  /** Without path and query, which may hold a secret. */
  url: z.string(),
  kind: WebhookKind,
  /** The states of an approval that are told. */
  events: z.array(ApprovalState),
  /** What is less dangerous is not told. */
  min_danger: Danger,
  /** Whether commands are sent too, which may hold secrets. */
  include_command: z.boolean(),
  enabled: z.boolean(),
  created_at: instant,
  created_by: z.string(),
})
export type WebhookInfo = z.infer<typeof WebhookInfo>

export const WebhookList = z.object({ items: z.array(WebhookInfo) })

/** Body of `POST /api/webhooks`. */
export const WebhookCreate = z.strictObject({
  /** `https`; `http` only on loopback, unless the relay says otherwise. */
  url: z.url({ protocol: /^https?$/ }).max(2048),
  kind: WebhookKind.default('generic'),
  events: z
    .array(ApprovalState)
    .min(1)
    .max(7)
    .default([...DEFAULT_WEBHOOK_EVENTS]),
  min_danger: Danger.default('low'),
  include_command: z.boolean().default(false),
  enabled: z.boolean().default(true),
})
export type WebhookCreate = z.input<typeof WebhookCreate>

/** The new one, with the secret that signs what is sent: it is shown once. */
export const WebhookCreated = WebhookInfo.extend({ secret: z.string() })
export type WebhookCreated = z.infer<typeof WebhookCreated>

/** Body of `PATCH /api/webhooks/:webhook`. */
export const WebhookChange = z.strictObject({ enabled: z.boolean() })
export type WebhookChange = z.infer<typeof WebhookChange>

/** What a notification tells. */
export const DeliveryEvent = z.union([
  ApprovalState,
  z.templateLiteral(['schedule.', ScheduleNotice]),
  z.literal('test'),
])
export type DeliveryEvent = z.infer<typeof DeliveryEvent>

/**
 * One notification to one webhook. `waiting`: for its next try; `delivered`: the receiver answered 2xx; `failed`: given up.
 */
export const DeliveryInfo = z.object({
  id: z.string(),
  webhook_id: z.string(),
  /** Null for a test, and for what is told of schedules. */
  approval_id: z.string().nullable(),
  /** The run of a schedule that it tells of. */
  schedule_run_id: z.string().nullable(),
  /** The state of an approval that is told, how a run of a schedule ended, or `test`. */
  event: DeliveryEvent,
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.number().int(),
  /** HTTP status of the last answer. */
  status: z.number().int().nullable(),
  /** Why there was no good answer, in a word: `timeout`, `ECONNREFUSED`, `address_refused`, `redirect`, `status`. */
  error: z.string().nullable(),
  /** The first characters of the last answer. */
  answer: z.string().nullable(),
  created_at: instant,
  next_try_at: instant.nullable(),
  ended_at: instant.nullable(),
})
export type DeliveryInfo = z.infer<typeof DeliveryInfo>

export const DeliveryList = z.object({ items: z.array(DeliveryInfo), next_cursor: z.string().nullable() })
export type DeliveryList = z.infer<typeof DeliveryList>

export const DeliveryListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1024).optional(),
})
export type DeliveryListQuery = z.infer<typeof DeliveryListQuery>

/** Headers of a notification: its event, its id (the same at every try), seconds since 1970 of this try, and the signature. */
export const NOTIFICATION_HEADERS = {
  event: 'cmdop-event',
  delivery: 'cmdop-delivery',
  timestamp: 'cmdop-timestamp',
  signature: 'cmdop-signature',
} as const

/** The text that a webhook's secret signs (HMAC-SHA-256, UTF-8): `v1=<hex>` in {@link NOTIFICATION_HEADERS}. */
export function notificationText(timestamp: string, body: string): string {
  return `${timestamp}.${body}`
}

const Someone = z.object({ id: z.string(), name: z.string(), kind: z.string() })

/** What a generic webhook gets. A test has neither approval nor link. */
export const Notification = z.object({
  /** `approval.pending`, ..., `schedule.failure`, ..., or `test`. */
  event: z.string(),
  /** When it came to be. */
  at: instant,
  fleet_id: z.string(),
  approval: z
    .object({
      id: z.string(),
      state: ApprovalState,
      /** Where it would hold a command that is not to be sent, what kind of call it is and where. */
      title: z.string(),
      /** Empty without `include_command`, unless who asks has written it for a plan. */
      reason: z.string(),
      danger: Danger,
      /** Empty without `include_command`. */
      danger_reason: z.string(),
      requester: Someone,
      /** The person or schedule behind a requester that is none. */
      on_behalf_of: Someone.nullable(),
      model: z.string().nullable(),
      /** Names, the first hundred. */
      machines: z.array(z.string()),
      machine_count: z.number().int(),
      /** With `include_command`: what would run, the first twenty, long ones cut. */
      commands: z.array(z.string()).optional(),
      plan_digest: z.string(),
      created_at: instant,
      expires_at: instant,
      decided_at: instant.nullable(),
      decided_by: z.array(z.string()),
    })
    .nullable(),
  /** Of `schedule.success`, `schedule.failure` and `schedule.missed`. Nothing that a command wrote is in it. */
  schedule: z
    .object({
      id: z.string(),
      name: z.string(),
      run_id: z.string(),
      status: ScheduleRunStatus,
      /** Of a run that failed as a whole, or in the same way on all machines. */
      error_code: z.string().nullable(),
      due_at: instant,
      finished_at: instant.nullable(),
      /** Machines by how it ended there. */
      counts: z.record(z.string(), z.number().int()),
      /** Of `schedule.missed`: instants that this tells of. */
      missed: z.number().int(),
    })
    .optional(),
  /** Where a person looks at it and decides. Opening it decides nothing. */
  link: z.string().nullable(),
})
export type Notification = z.infer<typeof Notification>
