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
  id: z.string().describe('Id of the webhook'),
  url: z.string().describe('Where it is sent, without path and query, which may hold a secret'),
  kind: WebhookKind.describe('Who reads what is sent: a program of yours, or Slack and what takes its webhooks'),
  events: z.array(ApprovalState).describe('The states of an approval that are told'),
  min_danger: Danger.describe('How dangerous an approval must be at least to be told'),
  include_command: z.boolean().describe('Whether commands are sent too, which may hold secrets'),
  enabled: z.boolean().describe('Whether anything is sent'),
  created_at: instant.describe('When it was made'),
  created_by: z.string().describe('Id of the principal that made it'),
})
export type WebhookInfo = z.infer<typeof WebhookInfo>

export const WebhookList = z.object({ items: z.array(WebhookInfo).describe('Webhooks of the fleet') })
export type WebhookList = z.infer<typeof WebhookList>

/** Body of `POST /api/webhooks`. */
export const WebhookCreate = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .describe('Where to send: `https`; `http` only on loopback, unless the relay says otherwise'),
  kind: WebhookKind.default('generic').describe(
    'Who reads what is sent: a program of yours, or Slack and what takes its webhooks',
  ),
  events: z
    .array(ApprovalState)
    .min(1)
    .max(7)
    .default([...DEFAULT_WEBHOOK_EVENTS])
    .describe('The states of an approval that are told'),
  min_danger: Danger.default('low').describe('How dangerous an approval must be at least to be told'),
  include_command: z.boolean().default(false).describe('Whether commands are sent too, which may hold secrets'),
  enabled: z.boolean().default(true).describe('Whether anything is sent'),
})
export type WebhookCreate = z.input<typeof WebhookCreate>

/** The new one, with the secret that signs what is sent: it is shown once. */
export const WebhookCreated = WebhookInfo.extend({
  secret: z.string().describe('What signs what is sent (HMAC-SHA-256); shown here and never again'),
})
export type WebhookCreated = z.infer<typeof WebhookCreated>

/** Body of `PATCH /api/webhooks/:webhook`. */
export const WebhookChange = z.strictObject({ enabled: z.boolean().describe('Whether anything is sent from now on') })
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
  id: z.string().describe('Id of the notification, the same at every try'),
  webhook_id: z.string().describe('Id of the webhook that it is for'),
  approval_id: z.string().nullable().describe('Id of the approval; null for a test, and for what is told of schedules'),
  schedule_run_id: z.string().nullable().describe('Id of the run of a schedule that it tells of; null: of none'),
  event: DeliveryEvent.describe('The state of an approval that is told, how a run of a schedule ended, or `test`'),
  state: z
    .enum(['waiting', 'delivered', 'failed'])
    .describe('`waiting` for its next try, `delivered` once the receiver answered 2xx, `failed` when given up'),
  attempts: z.number().int().describe('How often it was tried'),
  status: z.number().int().nullable().describe('HTTP status of the last answer; null: there was none'),
  error: z
    .string()
    .nullable()
    .describe(
      'Why there was no good answer, in a word: `timeout`, `ECONNREFUSED`, `address_refused`, `redirect`, `status`',
    ),
  answer: z.string().nullable().describe('The first characters of the last answer'),
  created_at: instant.describe('When it was made'),
  next_try_at: instant.nullable().describe('When it is tried next; null: it is over'),
  ended_at: instant.nullable().describe('When it was delivered or given up; null: not yet'),
})
export type DeliveryInfo = z.infer<typeof DeliveryInfo>

export const DeliveryList = z.object({
  items: z.array(DeliveryInfo).describe('Notifications, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
})
export type DeliveryList = z.infer<typeof DeliveryList>

export const DeliveryListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
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

const Someone = z.object({
  id: z.string().describe('Id of the principal'),
  name: z.string().describe('What people call it'),
  kind: z.string().describe('What it is: `human`, `ai`, `service`, `schedule`'),
})

/** What a generic webhook gets. A test has neither approval nor link. */
export const Notification = z.object({
  event: z.string().describe('`approval.pending`, ..., `schedule.failure`, ..., or `test`'),
  at: instant.describe('When it came to be'),
  fleet_id: z.string().describe('Id of the fleet'),
  approval: z
    .object({
      id: z.string().describe('Id of the approval'),
      state: ApprovalState.describe('How it stands'),
      title: z
        .string()
        .describe(
          'What is asked; where that would hold a command that is not to be sent, what kind of call it is and where',
        ),
      reason: z
        .string()
        .describe('Why it is asked for; empty without `include_command`, unless who asks has written it for a plan'),
      danger: Danger.describe('How bad it can be'),
      danger_reason: z.string().describe('Why it is as dangerous as that; empty without `include_command`'),
      requester: Someone.describe('Who asks for it'),
      on_behalf_of: Someone.nullable().describe('The person or schedule behind a requester that is none'),
      model: z.string().nullable().describe('Model of an AI operator: `anthropic:<name>`'),
      machines: z.array(z.string()).describe('Names of the machines, the first hundred'),
      machine_count: z.number().int().describe('How many machines they are'),
      commands: z
        .array(z.string())
        .optional()
        .describe('With `include_command`: what would run, the first twenty, long ones cut'),
      plan_digest: z.string().describe('SHA-256 of the action digests in order, hex'),
      created_at: instant.describe('When it was made'),
      expires_at: instant.describe('When it ends by itself'),
      decided_at: instant.nullable().describe('When it was decided; null while it is not'),
      decided_by: z.array(z.string()).describe('Names of the people who decided'),
    })
    .nullable()
    .describe('What is asked; null where the event is about something else'),
  schedule: z
    .object({
      id: z.string().describe('Id of the schedule'),
      name: z.string().describe('What people call it'),
      run_id: z.string().describe('Id of the run'),
      status: ScheduleRunStatus.describe('How the run stands'),
      error_code: z
        .string()
        .nullable()
        .describe('Error code of a run that failed as a whole, or in the same way on all machines'),
      due_at: instant.describe('The instant at which it was due'),
      finished_at: instant.nullable().describe('When it ended; null: it never began'),
      counts: z.record(z.string(), z.number().int()).describe('Machines by how it ended there'),
      missed: z.number().int().describe('Of `schedule.missed`: instants that this tells of'),
    })
    .optional()
    .describe(
      'Of `schedule.success`, `schedule.failure` and `schedule.missed`. Nothing that a command wrote is in it.',
    ),
  link: z.string().nullable().describe('Where a person looks at it and decides. Opening it decides nothing.'),
})
export type Notification = z.infer<typeof Notification>
