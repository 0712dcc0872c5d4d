import type { Kysely } from 'kysely'
import type { SqlEngine } from './tables.ts'

/** Fleets at work: labels of machines, and fleet runs. */
export async function createFleetWork(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await createLabels(db)
  await createFleetRuns(db, engine)
}

/** Labels: of machines, as the relay and as their daemons have them, and of what enrols with a token. */
async function createLabels(db: Kysely<unknown>): Promise<void> {
  for (const [table, column] of [
    ['machines', 'labels'],
    ['machines', 'reported_labels'],
    ['enrollment_tokens', 'labels'],
  ] as const) {
    await db.schema
      .alterTable(table)
      .addColumn(column, 'text', (text) => text.notNull().defaultTo('{}'))
      .execute()
  }
}

async function createFleetRuns(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  const columns = ['principal_id', 'kind', 'title', 'plan', 'plan_digest', 'state', 'created_at', 'updated_at']
  const runs = db.schema
    .createTable('fleet_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('stop', 'text')
    .addColumn('cancel_requested_at', 'text')
  await columns.reduce((table, name) => table.addColumn(name, 'text', (column) => column.notNull()), runs).execute()
  for (const column of [undefined, 'state'])
    await db.schema
      .createIndex(`fleet_runs_${column ?? 'newest'}`)
      .on('fleet_runs')
      .columns(['fleet_id', ...(column === undefined ? [] : [column]), 'created_at desc', 'id'])
      .execute()
  await db.schema
    .createTable('fleet_run_targets')
    .addColumn('run_id', 'text', (column) => column.notNull().references('fleet_runs.id'))
    .addColumn('machine_id', 'text', (column) => column.notNull().references('machines.id'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('wave', 'integer', (column) => column.notNull())
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('fleet_run_targets_key', ['run_id', 'machine_id'])
    .execute()
  await db.schema
    .createTable('fleet_run_outcomes')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('machine_id', 'text', (column) => column.notNull())
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('row', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('fleet_run_outcomes_key', ['run_id', 'machine_id', 'generation'])
    .addForeignKeyConstraint('fleet_run_outcomes_target', ['run_id', 'machine_id'], 'fleet_run_targets', [
      'run_id',
      'machine_id',
    ])
    .execute()
  await engine.makeAppendOnly(db, 'fleet_run_outcomes')
  await db.schema
    .createIndex('fleet_run_targets_order')
    .on('fleet_run_targets')
    .columns(['run_id', 'position'])
    .unique()
    .execute()
}
