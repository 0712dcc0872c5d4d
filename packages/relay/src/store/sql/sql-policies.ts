import { isCmdopError } from '@cmdop/protocol'
import type { PolicyStore } from '../policy-store.ts'
import type { Database } from './tables.ts'

/** What stands for the fleet itself in a key, which has no nulls. */
const OF_FLEET = ''

/** {@link PolicyStore} in SQL. */
export function createPolicyStore(db: Database): PolicyStore {
  return {
    get: async (fleetId, machineId) => {
      const row = await db
        .selectFrom('policies')
        .selectAll()
        .where('fleetId', '=', fleetId)
        .where('machineId', '=', machineId ?? OF_FLEET)
        .executeTakeFirst()
      return row === undefined ? undefined : { ...row, machineId }
    },
    put: async (row) => {
      const machineId = row.machineId ?? OF_FLEET
      if (row.version === 1)
        return await isAdded(
          db
            .insertInto('policies')
            .values({ ...row, machineId })
            .execute(),
        )
      const { numUpdatedRows } = await db
        .updateTable('policies')
        .set({ ...row, machineId })
        .where('fleetId', '=', row.fleetId)
        .where('machineId', '=', machineId)
        .where('version', '=', row.version - 1)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
  }
}

async function isAdded(added: Promise<unknown>): Promise<boolean> {
  try {
    await added
    return true
  } catch (error) {
    if (isCmdopError(error) && error.code === 'conflict') return false
    throw error
  }
}
