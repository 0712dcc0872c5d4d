import { CmdopError } from '@cmdop/protocol'
import type { Transaction } from 'kysely'
import type { FleetRow, FleetStore } from '../store.ts'
import { keyToTable } from './sql-keys.ts'
import { principalToTable } from './sql-principals.ts'
import { keepingOwners } from './fleet-owners.ts'
import type { Database, Lookup, Tables } from './tables.ts'

const columns = ['fleets.id', 'fleets.name', 'fleets.slug', 'fleets.createdAt', 'fleets.disabledAt'] as const

/** {@link FleetStore} in SQL. */
export function createFleetStore(db: Database, lookup: Lookup): FleetStore {
  const byId = db.selectFrom('fleets').select(columns).where('id', '=', '').compile()
  return {
    create: async (fleet, owner, key) => {
      await db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto('fleets')
          .values({ ...fleet, disabledAt: null })
          .execute()
        await transaction.insertInto('principals').values(principalToTable(owner)).execute()
        if (key !== undefined) await transaction.insertInto('apiKeys').values(keyToTable(key)).execute()
      })
    },
    get: async (fleetId) => await lookup<FleetRow>({ ...byId, parameters: [fleetId] }),
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
    configure: async (fleetId, { name, mfaRequired, fourEyes }) => {
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(mfaRequired === undefined ? {} : { mfaRequired }),
        ...(fourEyes === undefined ? {} : { fourEyes: fourEyes === null ? null : Number(fourEyes) }),
      }
      if (Object.keys(change).length === 0) return
      await db.updateTable('fleets').set(change).where('id', '=', fleetId).execute()
    },
    disable: async (fleetId, at) => await disable(db, fleetId, at),
    ofPerson: async (personId, { offset, limit }) => {
      const memberships = db
        .selectFrom('principals')
        .innerJoin('fleets', 'fleets.id', 'principals.fleetId')
        .where((eb) => eb.or([eb('principals.personId', '=', personId), eb('principals.id', '=', personId)]))
        .where('principals.kind', '=', 'human')
        .where('principals.removedAt', 'is', null)
        .where('fleets.disabledAt', 'is', null)
        // As `isConfirmed` says.
        .leftJoin('principals as person', 'person.id', 'principals.personId')
        .where((eb) =>
          eb.or([
            eb('person.controlChangedAt', 'is', null),
            eb(
              eb.fn.coalesce('principals.confirmedAt', 'principals.createdAt'),
              '>',
              eb.ref('person.controlChangedAt'),
            ),
          ]),
        )
      const [rows, { total }] = await Promise.all([
        memberships
          .select([...columns, 'fleets.mfaRequired', 'principals.role'])
          .orderBy('fleets.createdAt')
          .orderBy('fleets.id')
          .limit(limit)
          .offset(offset)
          .execute(),
        memberships.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { items: rows.map(({ role, ...fleet }) => ({ fleet, role })), total: Number(total) }
    },
  }
}

async function disable(db: Database, fleetId: string, at: string): Promise<string[]> {
  return await db
    .transaction()
    .execute(async (transaction) =>
      keepingOwners(transaction, { fleetId: undefined, alsoOf: { homeFleetId: fleetId } }, () =>
        end(transaction, fleetId, at),
      ),
    )
}

/** The row of the fleet is written first: a key that somebody issues meanwhile is read with it, and is no good. */
async function end(transaction: Transaction<Tables>, fleetId: string, at: string): Promise<string[]> {
  const oldest = await transaction
    .selectFrom('fleets')
    .select('id')
    .orderBy('createdAt')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  if (oldest?.id === fleetId)
    throw new CmdopError('conflict', 'This is the fleet of the owner of the relay, which cannot be disabled.')
  await transaction
    .updateTable('fleets')
    .set({ disabledAt: at })
    .where('id', '=', fleetId)
    .where('disabledAt', 'is', null)
    .execute()
  const ended = await transaction
    .updateTable('apiKeys')
    .set({ revokedAt: at })
    .where('fleetId', '=', fleetId)
    .where('revokedAt', 'is', null)
    .returning('id')
    .execute()
  const members = transaction.selectFrom('principals').select('id').where('fleetId', '=', fleetId)
  await transaction.deleteFrom('signInCodes').where('principalId', 'in', members).execute()
  await transaction
    .updateTable('invitations')
    .set({ revokedAt: at })
    .where('fleetId', '=', fleetId)
    .where('acceptedAt', 'is', null)
    .where('revokedAt', 'is', null)
    .execute()
  await transaction
    .updateTable('enrollmentTokens')
    .set((eb) => ({ maxUses: eb.ref('uses') }))
    .where('fleetId', '=', fleetId)
    .execute()
  return ended.map(({ id }) => id)
}
