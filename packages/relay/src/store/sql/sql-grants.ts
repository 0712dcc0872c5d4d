import { z } from 'zod'
import type { Selectable } from 'kysely'
import type { GrantRow, GrantStore } from '../approval-store.ts'
import type { Database, Tables } from './tables.ts'

const Words = z.array(z.string())

/** {@link GrantStore} in SQL. */
export function createGrantStore(db: Database): GrantStore {
  return {
    create: async ({ words, ...grant }) =>
      await db.transaction().execute(async (transaction) => {
        const denial = await transaction
          .selectFrom('approvalVotes')
          .select('vote')
          .where('approvalId', '=', grant.approvalId)
          .where('vote', '=', 'deny')
          .executeTakeFirst()
        if (denial !== undefined) return false
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('grants')
          .values({ ...grant, words: JSON.stringify(words) })
          .onConflict((conflict) => conflict.columns(['approvalId', 'digest', 'grantedById']).doNothing())
          .executeTakeFirst()
        return numInsertedOrUpdatedRows === 1n
      }),
    get: async (grantId) => {
      const row = await db.selectFrom('grants').selectAll().where('id', '=', grantId).executeTakeFirst()
      return row === undefined ? undefined : fromTable(row)
    },
    list: async (fleetId) => {
      const newest = db.selectFrom('grants').selectAll().where('fleetId', '=', fleetId).orderBy('createdAt', 'desc')
      return (await newest.orderBy('id').limit(500).execute()).map(fromTable)
    },
    inForce: async (principalId, machineId, now) => {
      const rows = await db
        .selectFrom('grants')
        .selectAll()
        .where('grantedToId', '=', principalId)
        .where('machineId', '=', machineId)
        .where('expiresAt', '>', now)
        .where('revokedAt', 'is', null)
        .limit(100)
        .execute()
      return rows.map(fromTable)
    },
    use: async (grantId, now) => {
      const { numUpdatedRows } = await db
        .updateTable('grants')
        .set((eb) => ({ uses: eb('uses', '+', 1) }))
        .where('id', '=', grantId)
        .where('expiresAt', '>', now)
        .where('revokedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    over: async (now, limit) => {
      const found = db.selectFrom('grants').selectAll().where('endedAt', 'is', null).where('revokedAt', 'is', null)
      return (await found.where('expiresAt', '<=', now).orderBy('expiresAt').limit(limit).execute()).map(fromTable)
    },
    end: async (grantId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('grants')
        .set({ endedAt: at })
        .where('id', '=', grantId)
        .where('endedAt', 'is', null)
        .where('revokedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    revoke: async (grantId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('grants')
        .set({ revokedAt: at })
        .where('id', '=', grantId)
        .where('revokedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
  }
}

function fromTable({ words, ...row }: Selectable<Tables['grants']>): GrantRow {
  return { ...row, words: Words.parse(JSON.parse(words)) }
}
