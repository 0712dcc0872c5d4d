import { RecordingManifest, RecordingSubject } from '@cmdop/protocol'
import type { Selectable } from 'kysely'
import type { RecordingRow, RecordingStore } from '../store.ts'
import type { Database, Tables } from './tables.ts'

/** Rows in one INSERT: far below what a statement has parameters. */
const ADDED_AT_ONCE = 500

/** {@link RecordingStore} in SQL. */
export function createRecordingStore(db: Database): RecordingStore {
  return {
    add: async (recordings) => {
      await db.transaction().execute(async (transaction) => {
        for (let start = 0; start < recordings.length; start += ADDED_AT_ONCE) {
          const rows = recordings.slice(start, start + ADDED_AT_ONCE).map(toTable)
          await transaction
            .insertInto('recordings')
            .values(rows)
            .onConflict((on) => on.column('id').doNothing())
            .execute()
        }
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
    .$if(after !== undefined, (q) =>
      q.where((eb) =>
        eb.or([
          eb('startedAt', '<', after?.startedAt ?? ''),
          eb.and([eb('startedAt', '=', after?.startedAt ?? ''), eb('id', '>', after?.id ?? '')]),
        ]),
      ),
    )
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
