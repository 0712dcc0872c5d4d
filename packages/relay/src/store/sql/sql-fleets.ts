import type { FleetStore, PrincipalRow, PrincipalStore } from '../store.ts'
import type { Database, Lookup } from './tables.ts'

/** {@link FleetStore} in SQL. */
export function createFleetStore(db: Database): FleetStore {
  return {
    create: async (fleet, owner) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('fleets').values(fleet).execute()
        await transaction.insertInto('principals').values(owner).execute()
      })
    },
    get: async (fleetId) => await db.selectFrom('fleets').selectAll().where('id', '=', fleetId).executeTakeFirst(),
    first: async () =>
      await db.selectFrom('fleets').selectAll().orderBy('createdAt').orderBy('id').limit(1).executeTakeFirst(),
  }
}

/** {@link PrincipalStore} in SQL. */
export function createPrincipalStore(db: Database, lookup: Lookup): PrincipalStore {
  const ofKey = db
    .selectFrom('principals')
    .selectAll()
    .where('id', '=', (eb) => eb.selectFrom('apiKeys').select('principalId').where('apiKeys.id', '=', ''))
    .compile()
  return {
    create: async (principal) => {
      await db.insertInto('principals').values(principal).execute()
    },
    get: async (principalId) =>
      await db.selectFrom('principals').selectAll().where('id', '=', principalId).executeTakeFirst(),
    // Every request waits for this: the statement is compiled once, and only its parameter changes.
    ofKey: async (keyId) => await lookup<PrincipalRow>({ ...ofKey, parameters: [keyId] }),
  }
}
