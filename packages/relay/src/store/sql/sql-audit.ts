import { parseAuditBody } from '@cmdop/protocol'
import { type CompiledQuery, type SelectQueryBuilder, sql } from 'kysely'
import {
  auditFields,
  type AuditListing,
  type AuditStore,
  type SealedAuditRow,
  unindexedFields,
} from '../audit-store.ts'
import type { Database, Run, SqlEngine, Tables } from './tables.ts'

const sealedColumns = ['audit.fleetId', 'audit.chain', 'audit.sequence', 'audit.body'] as const

/** Rows that are put into the index at once: a few milliseconds of the store. */
const INDEXED_AT_ONCE = 250

/** {@link AuditStore} in SQL. Rows are found by an index that is brought up to date before each question, and now and then. */
export function createAuditStore(db: Database, { engine, run }: { engine: SqlEngine; run: Run }): AuditStore {
  const index = async () => {
    while ((await addToIndex(db, engine)) === INDEXED_AT_ONCE);
  }
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
      await run({ ...insertOf(rows.length), parameters })
    },
    get: async (rowId) => {
      const found = await db.selectFrom('audit').select('body').where('id', '=', rowId).executeTakeFirst()
      return found === undefined ? undefined : parseAuditBody(found.body).row
    },
    index,
    list: async (fleetId, listing) => {
      await index()
      const rows = await listingOf({ db, engine }, fleetId, listing).execute()
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
    openIntents: async (place) => {
      await index()
      return openIntents(db, place)
    },
    newest: async (fleetId, chain, action) => {
      await index()
      return db
        .selectFrom('auditIndex')
        .innerJoin('audit', 'audit.position', 'auditIndex.position')
        .select(sealedColumns)
        .where('auditIndex.fleetId', '=', fleetId)
        .where('auditIndex.action', '=', action)
        .where('auditIndex.kind', '=', 'intent')
        .where('audit.chain', '=', chain)
        .orderBy('auditIndex.position', 'desc')
        .limit(1)
        .executeTakeFirst()
    },
  }
}

/** Puts the next rows into the index; the database reads their fields from their bodies. Gives back how many. */
async function addToIndex(db: Database, engine: SqlEngine): Promise<number> {
  const fields = ['at', 'intentId', ...auditFields] as const
  const { numInsertedOrUpdatedRows = 0n } = await db
    .insertInto('auditIndex')
    .columns(['position', 'fleetId', ...fields])
    .expression((eb) =>
      eb
        .selectFrom('audit')
        .select(['position', 'fleetId', ...fields.map((field) => engine.fieldOfBody(field).as(field))])
        .where('position', '>', sql<number>`coalesce((select max(position) from audit_index), 0)`)
        .orderBy('position')
        .limit(INDEXED_AT_ONCE),
    )
    .executeTakeFirst()
  return Number(numInsertedOrUpdatedRows)
}

type Both = Pick<Tables, 'audit' | 'auditIndex'>
type Listed = SelectQueryBuilder<Both, keyof Both, { position: number; body: string }>

function listingOf(
  { db, engine }: { db: Database; engine: SqlEngine },
  fleetId: string,
  listing: AuditListing,
): Listed {
  const { limit, order = 'oldest', after, actionPrefix, ofIntent, since, until } = listing
  const { rowId, chain, sequence, durationMin, durationMax } = listing
  const isNewest = order === 'newest'
  let query: Listed = db
    .selectFrom('auditIndex')
    .innerJoin('audit', 'audit.position', 'auditIndex.position')
    .select(['audit.position', 'audit.body'])
    .where('auditIndex.fleetId', '=', fleetId)
  for (const field of auditFields) {
    const value = listing[field]
    if (value !== undefined && value !== null) query = query.where(`auditIndex.${field}`, '=', value)
  }
  for (const field of unindexedFields) {
    const value = listing[field]
    if (value !== undefined && value !== null) query = query.where(engine.fieldOfBody(field), '=', value)
  }
  return query
    .$if(after !== undefined, (q) => q.where('auditIndex.position', isNewest ? '<' : '>', after ?? 0))
    .$if(actionPrefix !== undefined, (q) =>
      q
        .where('auditIndex.action', '>=', actionPrefix ?? '')
        .where('auditIndex.action', '<', `${actionPrefix ?? ''}\u{10ffff}`),
    )
    .$if(ofIntent !== undefined, (q) =>
      q.where((eb) =>
        eb.or([
          eb('auditIndex.intentId', '=', ofIntent ?? ''),
          eb(
            'auditIndex.position',
            'in',
            eb
              .selectFrom('audit as own')
              .select('own.position')
              .where('own.id', '=', ofIntent ?? ''),
          ),
        ]),
      ),
    )
    .$if(rowId !== undefined, (q) => q.where('audit.id', '=', rowId ?? ''))
    .$if(sequence !== undefined, (q) => q.where('audit.sequence', '=', sequence ?? 0))
    .$if(durationMin !== undefined, (q) => q.where(engine.fieldOfBody('durationMs'), '>=', durationMin ?? 0))
    .$if(durationMax !== undefined, (q) => q.where(engine.fieldOfBody('durationMs'), '<=', durationMax ?? 0))
    .$if(chain !== undefined, (q) => q.where('audit.chain', '=', chain ?? ''))
    .$if(since !== undefined, (q) => q.where('auditIndex.at', '>=', since ?? ''))
    .$if(until !== undefined, (q) => q.where('auditIndex.at', '<', until ?? ''))
    .orderBy('auditIndex.position', isNewest ? 'desc' : 'asc')
    .limit(limit)
}

async function openIntents(
  db: Database,
  { fleetId, chain, from, limit }: Parameters<AuditStore['openIntents']>[0],
): Promise<SealedAuditRow[]> {
  return db
    .selectFrom('audit')
    .innerJoin('auditIndex', 'auditIndex.position', 'audit.position')
    .select(sealedColumns)
    .where('audit.fleetId', '=', fleetId)
    .where('audit.chain', '=', chain)
    .where('audit.sequence', '>=', from)
    .where('auditIndex.kind', '=', 'intent')
    .where('auditIndex.decision', '=', 'allow')
    .where((eb) => {
      const outcome = eb
        .selectFrom('auditIndex as ended')
        .select(sql.lit(1).as('one'))
        .whereRef('ended.fleetId', '=', 'audit.fleetId')
        .whereRef('ended.intentId', '=', 'audit.id')
        .where('ended.kind', '=', 'outcome')
      return eb.not(eb.exists(outcome))
    })
    .orderBy('audit.sequence')
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
