import {
  CmdopError,
  DeliveryInfo,
  DeliveryList,
  DeliveryListQuery,
  MAX_WEBHOOKS,
  WebhookChange,
  WebhookCreate,
  WebhookCreated,
  WebhookInfo,
  WebhookList,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { newId, newSecret } from '../../auth/secrets.ts'
import { ruleFor } from '../../notifications/addresses.ts'
import type { DeliveryRow, WebhookRow } from '../../store/notification-store.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { guard } from '../guard.ts'

const WebhookParams = z.object({ webhook: z.string().min(1).max(64).describe('Id of the webhook') })
const act = { action: 'fleet.configure' } as const
const actOn = (webhookId: string, what: string) => ({ ...act, subject: `webhook:${webhookId} ${what}` })

/** Where notifications of the fleet go, and which went. */
export function webhookRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, notifications } = context
  return async (app) => {
    app.get(
      '/api/webhooks',
      { schema: { summary: 'Where notifications of the fleet go', response: { 200: WebhookList } } },
      async (request) => {
        const { fleetId } = await guard(context, request, act.action)
        return { items: (await store.notifications.webhooks(fleetId)).map(viewOf) }
      },
    )

    app.post(
      '/api/webhooks',
      {
        schema: {
          summary: 'Send notifications there; the secret that signs them is shown once',
          body: WebhookCreate,
          response: { 201: WebhookCreated },
        },
      },
      async (request, reply) => {
        const webhook = await audited(context, request, act, async (caller, note) => {
          const made = await create(caller, request.body)
          note({ subject: `webhook:${made.id} create` })
          return made
        })
        return reply.status(201).send({ ...viewOf(webhook), secret: webhook.secret })
      },
    )

    app.patch(
      '/api/webhooks/:webhook',
      {
        schema: {
          summary: 'Switch it on or off',
          params: WebhookParams,
          body: WebhookChange,
          response: { 200: WebhookInfo },
        },
      },
      async (request) => {
        const { webhook: id } = request.params
        const { enabled } = request.body
        return audited(context, request, actOn(id, enabled ? 'enable' : 'disable'), async (caller) => {
          const webhook = await find(caller, id)
          await store.notifications.enableWebhook(caller.fleetId, id, enabled)
          return viewOf({ ...webhook, enabled })
        })
      },
    )

    app.delete(
      '/api/webhooks/:webhook',
      {
        schema: { summary: 'Send nothing there any more', params: WebhookParams, response: { 204: z.null() } },
      },
      async (request, reply) => {
        const { webhook: id } = request.params
        await audited(context, request, actOn(id, 'remove'), async (caller) => {
          if (!(await store.notifications.removeWebhook(caller.fleetId, id))) throw isUnknown()
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/webhooks/:webhook/test',
      {
        schema: {
          summary: 'Send a test at once; the answer says what became of it',
          params: WebhookParams,
          response: { 200: DeliveryInfo },
        },
      },
      async (request) =>
        audited(context, request, actOn(request.params.webhook, 'test'), async (caller) =>
          deliveryView(await notifications.deliverer.test(await find(caller, request.params.webhook))),
        ),
    )

    app.get(
      '/api/webhooks/:webhook/deliveries',
      {
        schema: {
          summary: 'What was sent there, the newest first',
          params: WebhookParams,
          querystring: DeliveryListQuery,
          response: { 200: DeliveryList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, act.action)
        const { id: webhookId } = await find(caller, request.params.webhook)
        const { limit, cursor } = request.query
        const after = cursor === undefined ? {} : { after: parseCursor('createdAt', cursor) }
        const rows = await store.notifications.deliveries(caller.fleetId, { webhookId, limit: limit + 1, ...after })
        const items = rows.slice(0, limit).map(deliveryView)
        return {
          items,
          next_cursor:
            rows.length > limit ? formatCursor(items.at(-1), ({ created_at, id }) => [created_at, id]) : null,
        }
      },
    )
  }

  async function create(caller: Caller, body: z.output<typeof WebhookCreate>): Promise<WebhookRow> {
    const url = new URL(body.url)
    ruleFor(url, notifications.allowInsecure)
    if ((await store.notifications.webhooks(caller.fleetId)).length >= MAX_WEBHOOKS)
      throw new CmdopError('conflict', `A fleet has at most ${MAX_WEBHOOKS} webhooks; remove one first.`)
    url.hash = ''
    const webhook: WebhookRow = {
      id: newId('whk_'),
      fleetId: caller.fleetId,
      url: url.href,
      kind: body.kind,
      secret: newSecret('webhook').raw,
      events: [...new Set(body.events)],
      minDanger: body.min_danger,
      includeCommand: body.include_command,
      enabled: body.enabled,
      createdAt: new Date().toISOString(),
      createdById: caller.principalId,
    }
    await store.notifications.createWebhook(webhook)
    return webhook
  }

  async function find(caller: Caller, webhookId: string): Promise<WebhookRow> {
    const webhook = await store.notifications.getWebhook(webhookId)
    if (webhook?.fleetId !== caller.fleetId) throw isUnknown()
    return webhook
  }
}

/** The path of an incoming webhook of Slack is what others call a password. */
function viewOf(webhook: WebhookRow): WebhookInfo {
  const { origin, pathname, search } = new URL(webhook.url)
  return {
    id: webhook.id,
    url: pathname === '/' && search === '' ? origin : `${origin}/...`,
    kind: webhook.kind,
    events: [...webhook.events],
    min_danger: webhook.minDanger,
    include_command: webhook.includeCommand,
    enabled: webhook.enabled,
    created_at: webhook.createdAt,
    created_by: webhook.createdById,
  }
}

function deliveryView(row: DeliveryRow): DeliveryInfo {
  return {
    id: row.id,
    webhook_id: row.webhookId,
    approval_id: row.event === 'test' || isOfSchedule(row) ? null : row.subjectId,
    schedule_run_id: isOfSchedule(row) ? row.subjectId : null,
    event: row.event,
    state: row.state,
    attempts: row.attempts,
    status: row.status,
    error: row.error,
    answer: row.answer,
    created_at: row.createdAt,
    next_try_at: row.state === 'waiting' ? row.dueAt : null,
    ended_at: row.endedAt,
  }
}

function isOfSchedule({ event }: DeliveryRow): boolean {
  return event.startsWith('schedule.')
}

function isUnknown(): CmdopError {
  return new CmdopError('not_found', 'There is no such webhook in your fleet.')
}
