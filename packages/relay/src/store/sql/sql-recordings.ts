import { RecordingManifest, RecordingSubject } from '@cmdop/protocol'
import type { Selectable } from 'kysely'
import type { RecordingRow, RecordingStore } from '../store.ts'
import type { Database, Tables } from './tables.ts'
import { isBehind } from './newest-first.ts'

/** Rows in one INSERT: far below what a statement has parameters. */
const ADDED_AT_ONCE = 500

/** {@link RecordingStore} in SQL. */
export function createRecordingStore(db: Database): RecordingStore {
  return {
    // One statement where it fits, which is nearly always: a transaction holds up every other writer for its ways.
    add: async (recordings) => {
      if (recordings.length <= ADDED_AT_ONCE) await insert(db, recordings)
      else
        await db.transaction().execute(async (transaction) => {
          for (let start = 0; start < recordings.length; start += ADDED_AT_ONCE)
            await insert(transaction, recordings.slice(start, start + ADDED_AT_ONCE))
        })
    },
    get: async (recordingId) => {
      const row = await db.selectFrom('recordings').selectAll().where('id', '=', recordingId).executeTakeFirst()
      return row === undefined ? undefined : fromTable(row)
    },
    finish: async (recordingId, { state, manifest, bytes }) => {
      const { numUpdatedRows } = await db
        .updateTable('recordings')
        .set({ state, bytes, manifest: JSON.stringify(manifest) })
        .where('id', '=', recordingId)
        .where('state', '=', 'open')
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    list: async (fleetId, page) => await listRecordings(db, fleetId, page),
  }
}

async function insert(db: Database, recordings: readonly RecordingRow[]): Promise<void> {
  if (recordings.length === 0) return
  await db
    .insertInto('recordings')
    .values(recordings.map(toTable))
    .onConflict((on) => on.column('id').doNothing())
    .execute()
}

async function listRecordings(
  db: Database,
  fleetId: string,
  { limit, after, machineId, subjectId, kind }: Parameters<RecordingStore['list']>[1],
): Promise<RecordingRow[]> {
  const rows = await db
    .selectFrom('recordings')
    .selectAll()
    .where('fleetId', '=', fleetId)
    .$if(machineId !== undefined, (q) => q.where('machineId', '=', machineId ?? ''))
    .$if(subjectId !== undefined, (q) => q.where('subjectId', '=', subjectId ?? ''))
    .$if(kind !== undefined, (q) => q.where('kind', '=', kind ?? 'exec'))
    .where(isBehind('startedAt', after))
    .orderBy('startedAt', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(fromTable)
}

function toTable({ subject, manifest, ...row }: RecordingRow): Tables['recordings'] {
  return { ...row, subject: JSON.stringify(subject), manifest: manifest === null ? null : JSON.stringify(manifest) }
}

function fromTable({ subject, manifest, ...row }: Selectable<Tables['recordings']>): RecordingRow {
  return {
    ...row,
    subject: RecordingSubject.parse(JSON.parse(subject)),
    manifest: manifest === null ? null : RecordingManifest.parse(JSON.parse(manifest)),
  }
}
