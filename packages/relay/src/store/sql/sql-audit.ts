import { parseAuditBody } from '@cmdop/protocol'
import { type CompiledQuery, type SelectQueryBuilder, sql } from 'kysely'
import { auditFields, type AuditListing, type AuditStore, type SealedAuditRow } from '../audit-store.ts'
import type { Database, Tables } from './tables.ts'

const sealedColumns = ['fleetId', 'chain', 'sequence', 'body'] as const

/** {@link AuditStore} in SQL. */
export function createAuditStore(db: Database): AuditStore {
  const inserts = new Map<number, CompiledQuery>()
  const insertOf = (count: number): CompiledQuery => {
    const known = inserts.get(count) ?? compileInsert(db, count)
    inserts.set(count, known)
    return known
  }
  return {
    // One statement, so that it is one commit. Every action waits for this: only its parameters change.
    append: async (rows) => {
      const parameters = rows.flatMap(({ fleetId, chain, sequence, body }) => [fleetId, chain, sequence, body])
      await db.executeQuery({ ...insertOf(rows.length), parameters })
    },
    get: async (rowId) => {
      const found = await db.selectFrom('audit').select('body').where('id', '=', rowId).executeTakeFirst()
      return found === undefined ? undefined : parseAuditBody(found.body).row
    },
    list: async (fleetId, listing) => {
      const rows = await listingOf(db, fleetId, listing).execute()
      return rows.map(({ position, body }) => {
        const { row, link } = parseAuditBody(body)
        return { position, row, ...link }
      })
    },
    sealed: async ({ fleetId, chain }, { after, until, limit }) =>
      await db
        .selectFrom('audit')
        .select(sealedColumns)
        .where('fleetId', '=', fleetId)
        .where('chain', '=', chain)
        .where('sequence', '>', after)
        .where('sequence', '<=', until)
        .orderBy('sequence')
        .limit(limit)
        .execute(),
    head: async (fleetId, chain) =>
      await db
        .selectFrom('audit')
        .select(sealedColumns)
        .where('fleetId', '=', fleetId)
        .where('chain', '=', chain)
        .orderBy('sequence', 'desc')
        .limit(1)
        .executeTakeFirst(),
    begin: async (fleetId, chain) => {
      await db
        .insertInto('auditChains')
        .values({ fleetId, chain })
        .onConflict((on) => on.doNothing())
        .execute()
    },
    chains: async (fleetId) =>
      await db
        .selectFrom('auditChains')
        .select(['fleetId', 'chain'])
        .$if(fleetId !== undefined, (q) => q.where('fleetId', '=', fleetId ?? ''))
        .orderBy('fleetId')
        .orderBy('chain')
        .execute(),
    openIntents: async (place) => await openIntents(db, place),
    newest: async (fleetId, chain, action) =>
      await db
        .selectFrom('audit')
        .select(sealedColumns)
        .where('fleetId', '=', fleetId)
        .where('action', '=', action)
        .where('kind', '=', 'intent')
        .where('chain', '=', chain)
        .orderBy('position', 'desc')
        .limit(1)
        .executeTakeFirst(),
  }
}

type Listed = SelectQueryBuilder<Tables, 'audit', { position: number; body: string }>

function listingOf(db: Database, fleetId: string, listing: AuditListing): Listed {
  const { limit, order = 'oldest', after, actionPrefix, ofIntent, chain, since, until } = listing
  const isNewest = order === 'newest'
  let query: Listed = db.selectFrom('audit').select(['position', 'body']).where('fleetId', '=', fleetId)
  for (const field of auditFields) {
    const value = listing[field]
    if (value !== undefined && value !== null) query = query.where(field, '=', value)
  }
  return query
    .$if(after !== undefined, (q) => q.where('position', isNewest ? '<' : '>', after ?? 0))
    .$if(actionPrefix !== undefined, (q) =>
      q.where('action', '>=', actionPrefix ?? '').where('action', '<', `${actionPrefix ?? ''}\u{10ffff}`),
    )
    .$if(ofIntent !== undefined, (q) =>
      q.where((eb) => eb.or([eb('id', '=', ofIntent ?? ''), eb('intentId', '=', ofIntent ?? '')])),
    )
    .$if(chain !== undefined, (q) => q.where('chain', '=', chain ?? ''))
    .$if(since !== undefined, (q) => q.where('at', '>=', since ?? ''))
    .$if(until !== undefined, (q) => q.where('at', '<', until ?? ''))
    .orderBy('position', isNewest ? 'desc' : 'asc')
    .limit(limit)
}

async function openIntents(
  db: Database,
  { fleetId, chain, from, limit }: Parameters<AuditStore['openIntents']>[0],
): Promise<SealedAuditRow[]> {
  return db
    .selectFrom('audit')
    .select(sealedColumns)
    .where('fleetId', '=', fleetId)
    .where('chain', '=', chain)
    .where('sequence', '>=', from)
    .where('kind', '=', 'intent')
    .where('decision', '=', 'allow')
    .where((eb) => {
      const outcome = eb
        .selectFrom('audit as ended')
        .select(sql.lit(1).as('one'))
        .whereRef('ended.fleetId', '=', 'audit.fleetId')
        .whereRef('ended.intentId', '=', 'audit.id')
        .where('ended.kind', '=', 'outcome')
      return eb.not(eb.exists(outcome))
    })
    .orderBy('sequence')
    .limit(limit)
    .execute()
}

/** The statement for so many rows. Compiling it takes longer than running it. */
function compileInsert(db: Database, count: number): CompiledQuery {
  const empty: SealedAuditRow = { fleetId: '', chain: '', sequence: 0, body: '' }
  return db
    .insertInto('audit')
    .values(Array.from({ length: count }, () => empty))
    .compile()
}
