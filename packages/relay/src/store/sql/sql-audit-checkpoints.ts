import type { Transaction } from 'kysely'
import type { AuditCheckpointStore } from '../audit-store.ts'
import type { Database, Tables } from './tables.ts'

const columns = ['fleetId', 'number', 'body', 'signature'] as const

/** {@link AuditCheckpointStore} in SQL. */
export function createAuditCheckpointStore(db: Database): AuditCheckpointStore {
  return {
    add: async (checkpoint) => {
      await db.insertInto('auditCheckpoints').values(checkpoint).execute()
    },
    newest: async (fleetId) =>
      await db
        .selectFrom('auditCheckpoints')
        .select(columns)
        .where('fleetId', '=', fleetId)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst(),
    list: async (fleetId, { after, limit }) =>
      await db
        .selectFrom('auditCheckpoints')
        .select(columns)
        .where('fleetId', '=', fleetId)
        .where('number', '>', after)
        .orderBy('number')
        .limit(limit)
        .execute(),
    anchor: async (fleetId) =>
      await db
        .selectFrom('auditAnchors')
        .select(['body', 'signature'])
        .where('fleetId', '=', fleetId)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst(),
    addAnchor: async ({ heads, ...anchor }) => {
      const { fleetId } = anchor
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('auditAnchors').values(anchor).execute()
        for (const { chain, sequence } of heads)
          await transaction
            .insertInto('auditAnchorHeads')
            .values({ fleetId, chain, sequence })
            .onConflict((on) => on.doNothing())
            .execute()
      })
    },
    // In pieces, each in a short transaction of its own, so that nobody waits for long.
    prune: async (fleetId, limit) =>
      await db
        .transaction()
        .execute(async (transaction) =>
          (await isHeld(transaction, fleetId)) ? 'held' : await prune(transaction, fleetId, limit),
        ),
    hold: async ({ id, fleetId, until }) =>
      await db.transaction().execute(async (transaction) => {
        const now = new Date().toISOString()
        const { numDeletedRows } = await transaction
          .deleteFrom('auditHolds')
          .where('id', '=', id)
          .where('until', '>', now)
          .executeTakeFirst()
        await transaction.deleteFrom('auditHolds').where('until', '<=', now).execute()
        await transaction.insertInto('auditHolds').values({ id, fleetId, until }).execute()
        return numDeletedRows === 1n
      }),
    release: async (holdId) => {
      await db.deleteFrom('auditHolds').where('id', '=', holdId).execute()
    },
  }
}

async function isHeld(transaction: Transaction<Tables>, fleetId: string): Promise<boolean> {
  const hold = await transaction
    .selectFrom('auditHolds')
    .select('id')
    .where('fleetId', '=', fleetId)
    .where('until', '>', new Date().toISOString())
    .limit(1)
    .executeTakeFirst()
  return hold !== undefined
}

async function prune(db: Transaction<Tables>, fleetId: string, limit: number): Promise<number> {
  const { number } =
    (await db
      .selectFrom('auditAnchors')
      .select(({ fn }) => fn.max('number').as('number'))
      .where('fleetId', '=', fleetId)
      .executeTakeFirst()) ?? {}
  if (number === null || number === undefined) return 0
  const chains = await db
    .selectFrom('auditAnchorHeads')
    .select(({ fn }) => ['chain', fn.max('sequence').as('sequence')])
    .where('fleetId', '=', fleetId)
    .groupBy('chain')
    .execute()
  for (const { chain, sequence } of chains) {
    const some = db
      .selectFrom('audit')
      .select('position')
      .where('fleetId', '=', fleetId)
      .where('chain', '=', chain)
      .where('sequence', '<=', sequence)
      .orderBy('sequence')
      .limit(limit)
    const positions = (await some.execute()).map(({ position }) => position)
    if (positions.length === 0) continue
    for (const table of ['audit', 'auditIndex'] as const)
      await db.deleteFrom(table).where('position', 'in', positions).execute()
    return positions.length
  }
  const { numDeletedRows } = await db
    .deleteFrom('auditCheckpoints')
    .where('fleetId', '=', fleetId)
    .where('number', '<=', number)
    .executeTakeFirst()
  return Number(numDeletedRows)
}
