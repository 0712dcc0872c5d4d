import type { IdempotencyStore } from '../idempotency-store.ts'
import type { Database } from './tables.ts'

/** {@link IdempotencyStore} in SQL. */
export function createIdempotencyStore(db: Database): IdempotencyStore {
  return {
    claim: async (row) => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('idempotencyKeys')
        .values({ ...row, status: null, body: null })
        .onConflict((conflict) => conflict.columns(['principalId', 'key']).doNothing())
        .executeTakeFirst()
      if (numInsertedOrUpdatedRows === 1n) return undefined
      return await db
        .selectFrom('idempotencyKeys')
        .selectAll()
        .where('principalId', '=', row.principalId)
        .where('key', '=', row.key)
        .executeTakeFirst()
    },
    finish: async ({ principalId, key, status, body }) => {
      const update = db.updateTable('idempotencyKeys').set({ status, body })
      await update.where('principalId', '=', principalId).where('key', '=', key).execute()
    },
    release: async ({ principalId, key }) => {
      await db.deleteFrom('idempotencyKeys').where('principalId', '=', principalId).where('key', '=', key).execute()
    },
    forget: async (before) => {
      await db.deleteFrom('idempotencyKeys').where('at', '<', before).execute()
    },
  }
}
