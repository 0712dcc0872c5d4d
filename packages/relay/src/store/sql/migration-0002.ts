import type { Kysely } from 'kysely'

/** Recordings, with an index for every query of the port. */
export async function createRecordings(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('recordings')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('machine_id', 'text', (column) => column.notNull().references('machines.id'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('subject_id', 'text', (column) => column.notNull())
    .addColumn('started_at', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('manifest', 'text')
    .addColumn('blob', 'text', (column) => column.notNull())
    .addColumn('blob_offset', 'bigint', (column) => column.notNull())
    .addColumn('bytes', 'bigint')
    .execute()
  for (const column of [undefined, 'machine_id', 'subject_id']) {
    await db.schema
      .createIndex(`recordings_${column ?? 'newest'}`)
      .on('recordings')
      .columns(['fleet_id', ...(column === undefined ? [] : [column]), 'started_at desc', 'id'])
      .execute()
  }
}
