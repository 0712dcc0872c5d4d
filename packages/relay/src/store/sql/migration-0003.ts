import type { Kysely } from 'kysely'
import type { SqlEngine } from './tables.ts'

/** Runs and their journals. That an entry refers to the one before it keeps gaps out, whoever writes. */
export async function createRuns(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  const columns = ['principal_id', 'agent_type', 'model', 'title', 'state', 'created_at', 'updated_at']
  const runs = db.schema
    .createTable('runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('machine_id', 'text', (column) => column.notNull().references('machines.id'))
    .addColumn('ask_id', 'text')
    .addColumn('code', 'text')
  await columns.reduce((table, name) => table.addColumn(name, 'text', (column) => column.notNull()), runs).execute()
  for (const column of [undefined, 'machine_id', 'state']) {
    await db.schema
      .createIndex(`runs_${column ?? 'newest'}`)
      .on('runs')
      .columns(['fleet_id', ...(column === undefined ? [] : [column]), 'created_at desc', 'id'])
      .execute()
  }
  await db.schema
    .createTable('run_entries')
    .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('previous', 'integer')
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('total_bytes', 'bigint', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('run_entries_key', ['run_id', 'position'])
    .addForeignKeyConstraint('run_entries_previous', ['run_id', 'previous'], 'run_entries', ['run_id', 'position'])
    .execute()
  await engine.makeAppendOnly(db, 'run_entries')
}
