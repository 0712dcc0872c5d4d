import { CmdopError } from '@cmdop/protocol'
import { sql, type Transaction } from 'kysely'
import type { MachineLinkStore } from '../store.ts'
import { lockFleet } from './fleet-lock.ts'
import type { Database, Lookup, SqlEngine, Tables } from './tables.ts'

/** {@link MachineLinkStore} in SQL. */
export function createMachineLinkStore(
  db: Database,
  { engine, lookup }: { engine: SqlEngine; lookup: Lookup },
): MachineLinkStore {
  // Lists of machines ask each time, and most relays have no link at all.
  const any = db.selectFrom('machineLinks').select('machineId').limit(1).compile()
  return {
    attach: async (link) =>
      await db.transaction().execute(async (transaction) => {
        // Names are looked at under the lock of the fleet: of two who take one at once, the second sees it.
        await lockFleet(transaction, link.fleetId)
        const machine = await transaction
          .selectFrom('machines')
          .select('name')
          .where('id', '=', link.machineId)
          .executeTakeFirst()
        const known = await transaction
          .selectFrom('machineLinks')
          .select('machineId')
          .where('fleetId', '=', link.fleetId)
          .where('machineId', '=', link.machineId)
          .executeTakeFirst()
        if (known !== undefined) throw new CmdopError('conflict', 'The fleet uses this machine already.')
        if (machine !== undefined) await assertFree(transaction, { ...link, name: machine.name })
        await transaction.insertInto('machineLinks').values(link).execute()
      }),
    detach: async (machineId, fleetId) => {
      const { numDeletedRows } = await db
        .deleteFrom('machineLinks')
        .where('fleetId', '=', fleetId)
        .where('machineId', '=', machineId)
        .executeTakeFirst()
      return numDeletedRows === 1n
    },
    count: async (fleetId) => {
      const { total } = await db
        .selectFrom('machineLinks')
        .select((eb) => eb.fn.countAll().as('total'))
        .where('fleetId', '=', fleetId)
        .executeTakeFirstOrThrow()
      return Number(total)
    },
    get: async (machineId, fleetId) =>
      await db
        .selectFrom('machineLinks')
        .selectAll()
        .where('fleetId', '=', fleetId)
        .where('machineId', '=', machineId)
        .executeTakeFirst(),
    of: async (machineIds) => {
      if ((await lookup(any)) === undefined) return []
      return await db
        .selectFrom('machineLinks')
        .selectAll()
        .where(engine.isAnyOf('machineId', machineIds))
        .orderBy('joinedAt')
        .orderBy('fleetId')
        .execute()
    },
  }
}

/** Of machines: the fleet has it, or uses it. */
export function isOf(fleetId: string) {
  const used = sql`select machine_id from machine_links where machine_links.fleet_id = ${fleetId}`
  return sql<boolean>`(machines.fleet_id = ${fleetId} or machines.id in (${used}))`
}

/** Throws `conflict` when another machine that the fleet has or uses has the name. */
export async function assertFree(
  transaction: Transaction<Tables>,
  { fleetId, machineId, name }: { fleetId: string; machineId: string; name: string },
): Promise<void> {
  const own = transaction.selectFrom('machines').select('id').where('fleetId', '=', fleetId).where('name', '=', name)
  const linked = transaction
    .selectFrom('machineLinks')
    .innerJoin('machines', 'machines.id', 'machineLinks.machineId')
    .select('machines.id')
    .where('machineLinks.fleetId', '=', fleetId)
    .where('machines.name', '=', name)
  const having = [...(await own.execute()), ...(await linked.execute())]
  if (having.every(({ id }) => id === machineId)) return
  throw new CmdopError('conflict', `Another machine of the fleet is called ${name}; choose another name.`)
}
