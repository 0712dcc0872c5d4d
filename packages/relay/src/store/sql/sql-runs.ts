import type { CompiledQuery } from 'kysely'
import type { RunEntryRow, RunRow, RunStore } from '../store.ts'
import type { Database, Tables } from './tables.ts'
import { isBehind } from './newest-first.ts'

const entryColumns = ['runId', 'position', 'at', 'totalBytes', 'body'] as const

/** {@link RunStore} in SQL. */
export function createRunStore(db: Database): RunStore {
  const inserts = new Map<number, CompiledQuery>()
  const insertOf = (count: number): CompiledQuery => {
    const known = inserts.get(count) ?? compileInsert(db, count)
    inserts.set(count, known)
    return known
  }
  return {
    create: async (run, entry) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('runs').values(run).execute()
        await transaction.insertInto('runEntries').values(toTable(entry)).execute()
      })
    },
    get: async (runId) => db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst(),
    list: async (fleetId, page) => await listRuns(db, fleetId, page),
    // One statement, so that it shares its commit with others; keys and references do the rest.
    append: async (entries) => {
      await db.executeQuery({ ...insertOf(entries.length), parameters: entries.flatMap(parametersOf) })
    },
    entries: async (runId, { from, limit }) =>
      await db
        .selectFrom('runEntries')
        .select(entryColumns)
        .where('runId', '=', runId)
        .where('position', '>=', from)
        .orderBy('position')
        .limit(limit)
        .execute(),
    lastEntry: async (runId) =>
      await db
        .selectFrom('runEntries')
        .select(entryColumns)
        .where('runId', '=', runId)
        .orderBy('position', 'desc')
        .limit(1)
        .executeTakeFirst(),
    update: async (runId, change) => {
      await db.updateTable('runs').set(change).where('id', '=', runId).execute()
    },
  }
}

async function listRuns(
  db: Database,
  fleetId: string,
  { limit, after, machineId, state }: Parameters<RunStore['list']>[1],
): Promise<RunRow[]> {
  return db
    .selectFrom('runs')
    .selectAll()
    .where('fleetId', '=', fleetId)
    .$if(machineId !== undefined, (q) => q.where('machineId', '=', machineId ?? ''))
    .$if(state !== undefined, (q) => q.where('state', '=', state ?? 'running'))
    .where(isBehind('createdAt', after))
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The statement for so many entries. Compiling it takes longer than running it. */
function compileInsert(db: Database, count: number): CompiledQuery {
  const empty = { runId: '', position: 0, at: '', totalBytes: 0, body: '', previous: 0 }
  return db
    .insertInto('runEntries')
    .values(Array.from({ length: count }, () => empty))
    .compile()
}

/** In the order of the statement's columns. */
function parametersOf(entry: RunEntryRow): unknown[] {
  const { runId, position, at, totalBytes, body, previous } = toTable(entry)
  return [runId, position, at, totalBytes, body, previous]
}

function toTable(entry: RunEntryRow): Tables['runEntries'] {
  return { ...entry, previous: entry.position === 0 ? null : entry.position - 1 }
}
