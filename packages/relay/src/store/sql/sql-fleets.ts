import type { FleetStore } from '../store.ts'
import { keyToTable } from './sql-keys.ts'
import { principalToTable } from './sql-principals.ts'
import type { Database } from './tables.ts'

const columns = ['id', 'name', 'slug', 'createdAt'] as const

/** {@link FleetStore} in SQL. */
export function createFleetStore(db: Database): FleetStore {
  return {
    create: async (fleet, owner, key) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('fleets').values(fleet).execute()
        await transaction.insertInto('principals').values(principalToTable(owner)).execute()
        if (key !== undefined) await transaction.insertInto('apiKeys').values(keyToTable(key)).execute()
      })
    },
    get: async (fleetId) => await db.selectFrom('fleets').select(columns).where('id', '=', fleetId).executeTakeFirst(),
    first: async () =>
      await db.selectFrom('fleets').select(columns).orderBy('createdAt').orderBy('id').limit(1).executeTakeFirst(),
    settings: async (fleetId) => {
      const row = await db
        .selectFrom('fleets')
        .select(['mfaRequired', 'fourEyes'])
        .where('id', '=', fleetId)
        .executeTakeFirst()
      if (row === undefined) return undefined
      return { mfaRequired: row.mfaRequired, fourEyes: row.fourEyes === null ? null : row.fourEyes === 1 }
    },
    configure: async (fleetId, { mfaRequired, fourEyes }) => {
      const change = {
        ...(mfaRequired === undefined ? {} : { mfaRequired }),
        ...(fourEyes === undefined ? {} : { fourEyes: fourEyes === null ? null : Number(fourEyes) }),
      }
      if (Object.keys(change).length === 0) return
      await db.updateTable('fleets').set(change).where('id', '=', fleetId).execute()
    },
  }
}
