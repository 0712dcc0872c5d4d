import type { AuditCheckpointStore } from '../audit-store.ts'
import type { Database } from './tables.ts'

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
    prune: async (fleetId, limit) => await prune(db, fleetId, limit),
  }
}

/** In pieces, each in a short transaction of its own, so that nobody waits for long. */
async function prune(db: Database, fleetId: string, limit: number): Promise<number> {
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
