import { type CreateTableBuilder, type Kysely, sql } from 'kysely'

/** Schedules, their runs and what these did on each machine. */
export async function createSchedules(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('schedules')
    .addColumn('id', 'text', (column) => column.primaryKey().references('principals.id'))
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('name', 'description', 'cron_expr', 'timezone', 'work', 'acts_for_id', 'key_id'))
    .$call(withTexts('created_at', 'updated_at'))
    .addColumn('is_enabled', 'integer', (column) => column.notNull())
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('next_run_at', 'text')
    .addColumn('last_run_at', 'text')
    .addColumn('last_status', 'text')
    .addColumn('last_error', 'text')
    .addColumn('deleted_at', 'text')
    .execute()
  await index(db, 'schedules', { oldest: ['fleet_id', 'created_at', 'id'], due: ['next_run_at'], keys: ['key_id'] })
  await createRuns(db)
  await db.schema
    .createTable('schedule_results')
    .addColumn('run_id', 'text', (column) => column.notNull().references('schedule_runs.id').onDelete('cascade'))
    .$call(withTexts('machine_id', 'machine_name', 'status', 'call_id', 'output', 'error'))
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('output_truncated', 'integer', (column) => column.notNull())
    .addColumn('output_bytes', 'bigint', (column) => column.notNull())
    .addColumn('exit_code', 'integer')
    .$call((table) => withMaybe(table, 'signal', 'answer', 'error_code', 'approval_id', 'started_at', 'finished_at'))
    .addPrimaryKeyConstraint('schedule_results_key', ['run_id', 'machine_id'])
    .execute()
  await index(db, 'schedule_results', { names: ['run_id', 'machine_name', 'machine_id'] })
}

async function createRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('schedule_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('schedule_id', 'text', (column) => column.notNull().references('schedules.id').onDelete('cascade'))
    .$call(withTexts('fleet_id', 'acts_for_id', 'key_id', 'status', 'trigger_kind', 'created_at', 'error', 'counts'))
    .addColumn('command_count', 'integer', (column) => column.notNull())
    .addColumn('is_told', 'integer', (column) => column.notNull())
    .$call((table) => withMaybe(table, 'due_at', 'work', 'started_at', 'finished_at', 'error_code'))
    .$call((table) => withMaybe(table, 'relay_instance', 'lease_until', 'cancel_requested_at'))
    // Whoever comes second to an instant has nothing to do there.
    .addUniqueConstraint('schedule_runs_once', ['schedule_id', 'due_at'])
    .execute()
  await index(db, 'schedule_runs', { newest: ['schedule_id', 'created_at desc', 'id'] })
  await db.schema
    .createIndex('schedule_runs_waiting')
    .on('schedule_runs')
    .columns(['schedule_id', 'created_at'])
    .where(sql.ref('status'), '=', sql.lit('pending'))
    .execute()
  await db.schema
    .createIndex('schedule_runs_keys')
    .on('schedule_runs')
    .column('key_id')
    .where(sql.ref('finished_at'), 'is', sql.lit(null))
    .execute()
  // One at a time, whichever relays start them.
  await db.schema
    .createIndex('schedule_runs_running')
    .unique()
    .on('schedule_runs')
    .column('schedule_id')
    .where(sql.ref('status'), '=', sql.lit('running'))
    .execute()
  await db.schema
    .createIndex('schedule_runs_untold')
    .on('schedule_runs')
    .column('finished_at')
    .where(sql.ref('is_told'), '=', sql.lit(0))
    .execute()
}

async function index(db: Kysely<unknown>, table: string, indexes: Record<string, string[]>): Promise<void> {
  for (const [name, columns] of Object.entries(indexes))
    await db.schema.createIndex(`${table}_${name}`).on(table).columns(columns).execute()
}

type Table = CreateTableBuilder<string, string>

function withTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text', (column) => column.notNull()), table)
}

function withMaybe(table: Table, ...names: string[]): Table {
  return names.reduce((built, name) => built.addColumn(name, 'text'), table)
}
