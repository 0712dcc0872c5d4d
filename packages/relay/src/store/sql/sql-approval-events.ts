import type { Transaction } from 'kysely'
import type { ApprovalEventStore, ApprovalRow } from '../approval-store.ts'
import type { Database, Tables } from './tables.ts'

const columns = ['position', 'fleetId', 'approvalId', 'state', 'at'] as const

/** {@link ApprovalEventStore} in SQL. */
export function createApprovalEventStore(db: Database): ApprovalEventStore {
  return {
    list: async (fleetId, { after, limit }) =>
      await db
        .selectFrom('approvalEvents')
        .select(columns)
        .where('fleetId', '=', fleetId)
        .where('position', '>', after)
        .orderBy('position')
        .limit(limit)
        .execute(),
    pending: async (fleetId, limit) => {
      const newest = await db
        .selectFrom('approvalEvents')
        .innerJoin('approvals', 'approvals.id', 'approvalEvents.approvalId')
        .select(columns.map((column) => `approvalEvents.${column}` as const))
        .where('approvals.fleetId', '=', fleetId)
        .where('approvals.state', '=', 'pending')
        .where('approvalEvents.state', '=', 'pending')
        .orderBy('approvalEvents.position', 'desc')
        .limit(limit)
        .execute()
      return newest.toReversed()
    },
    last: async (fleetId) => {
      const row = await db
        .selectFrom('approvalEvents')
        .select('position')
        .where('fleetId', '=', fleetId)
        .orderBy('position', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row?.position ?? 0
    },
    untold: async (limit) =>
      await db
        .selectFrom('approvalEvents')
        .select(columns)
        .where('told', '=', 0)
        .orderBy('position')
        .limit(limit)
        .execute(),
    told: async (positions) => {
      if (positions.length === 0) return
      await db.updateTable('approvalEvents').set({ told: 1 }).where('position', 'in', positions).execute()
    },
  }
}

/** Writes down that an approval got into its state, with the change itself. */
export async function addApprovalEvent(
  transaction: Transaction<Tables>,
  { fleetId, id: approvalId, state }: Pick<ApprovalRow, 'fleetId' | 'id' | 'state'>,
  at: string,
): Promise<void> {
  await transaction.insertInto('approvalEvents').values({ fleetId, approvalId, state, at, told: 0 }).execute()
}
