import { ApprovalState } from '@cmdop/protocol'
import type { Selectable } from 'kysely'
import { z } from 'zod'
import type { NotificationStore, WebhookRow } from '../notification-store.ts'
import type { Seal } from '../seal.ts'
import type { Database, Tables } from './tables.ts'
import { isBehind } from './newest-first.ts'

const Events = z.array(ApprovalState)

/** {@link NotificationStore} in SQL. */
export function createNotificationStore(db: Database, seal: Seal): NotificationStore {
  return { ...webhooksIn(db, seal), ...deliveriesIn(db) }
}

function webhooksIn(
  db: Database,
  seal: Seal,
): Pick<NotificationStore, 'createWebhook' | 'webhooks' | 'getWebhook' | 'enableWebhook' | 'removeWebhook'> {
  return {
    createWebhook: async (webhook) => {
      await db.insertInto('webhooks').values(toTable(webhook, seal)).execute()
    },
    webhooks: async (fleetId) => {
      const rows = db.selectFrom('webhooks').selectAll().where('fleetId', '=', fleetId)
      return (await rows.orderBy('createdAt').orderBy('id').execute()).map((row) => fromTable(row, seal))
    },
    getWebhook: async (webhookId) => {
      const row = await db.selectFrom('webhooks').selectAll().where('id', '=', webhookId).executeTakeFirst()
      return row === undefined ? undefined : fromTable(row, seal)
    },
    enableWebhook: async (fleetId, webhookId, enabled) => {
      const { numUpdatedRows } = await db
        .updateTable('webhooks')
        .set({ enabled: Number(enabled) })
        .where('id', '=', webhookId)
        .where('fleetId', '=', fleetId)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    removeWebhook: async (fleetId, webhookId) => {
      const { numDeletedRows } = await db
        .deleteFrom('webhooks')
        .where('id', '=', webhookId)
        .where('fleetId', '=', fleetId)
        .executeTakeFirst()
      return numDeletedRows === 1n
    },
  }
}

function deliveriesIn(
  db: Database,
): Pick<NotificationStore, 'enqueue' | 'due' | 'claim' | 'settle' | 'deliveries' | 'prune'> {
  return {
    enqueue: async (deliveries) => {
      if (deliveries.length === 0) return
      await db.transaction().execute(async (transaction) => {
        for (const delivery of deliveries) {
          const webhook = transaction.selectFrom('webhooks').select('id').where('id', '=', delivery.webhookId)
          if ((await webhook.executeTakeFirst()) === undefined) continue
          await transaction
            .insertInto('deliveries')
            .values(delivery)
            .onConflict((on) => on.columns(['webhookId', 'subjectId', 'event']).doNothing())
            .execute()
        }
      })
    },
    due: async (now, limit, exceptWebhooks = []) =>
      await db
        .selectFrom('deliveries')
        .selectAll()
        .where('state', '=', 'waiting')
        .where('dueAt', '<=', now)
        .$if(exceptWebhooks.length > 0, (query) => query.where('webhookId', 'not in', exceptWebhooks))
        .orderBy('dueAt')
        .limit(limit)
        .execute(),
    claim: async ({ id, attempts }, dueAt) =>
      await db
        .updateTable('deliveries')
        .set({ attempts: attempts + 1, dueAt })
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .where('attempts', '=', attempts)
        .returningAll()
        .executeTakeFirst(),
    settle: async ({ id, attempts }, outcome) => {
      const { numUpdatedRows } = await db
        .updateTable('deliveries')
        .set(outcome)
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .where('attempts', '=', attempts)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    deliveries: async (fleetId, { webhookId, limit, after }) =>
      await db
        .selectFrom('deliveries')
        .selectAll()
        .where('webhookId', '=', webhookId)
        .where('fleetId', '=', fleetId)
        .where(isBehind('createdAt', after))
        .orderBy('createdAt', 'desc')
        .orderBy('id')
        .limit(limit)
        .execute(),
    prune: async (endedBefore) => {
      await db.deleteFrom('deliveries').where('endedAt', '<', endedBefore).execute()
    },
  }
}

function toTable({ events, includeCommand, enabled, ...row }: WebhookRow, seal: Seal): Tables['webhooks'] {
  return {
    ...row,
    url: seal.close(row.url, `webhooks.url:${row.id}`),
    secret: seal.close(row.secret, `webhooks.secret:${row.id}`),
    events: JSON.stringify(events),
    includeCommand: Number(includeCommand),
    enabled: Number(enabled),
  }
}

function fromTable({ events, ...row }: Selectable<Tables['webhooks']>, seal: Seal): WebhookRow {
  return {
    ...row,
    url: seal.open(row.url, `webhooks.url:${row.id}`),
    secret: seal.open(row.secret, `webhooks.secret:${row.id}`),
    events: Events.parse(JSON.parse(events)),
    includeCommand: row.includeCommand === 1,
    enabled: row.enabled === 1,
  }
}
