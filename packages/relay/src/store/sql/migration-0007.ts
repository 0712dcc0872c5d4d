import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { SqlEngine } from './tables.ts'

/** What became of approvals, where that is told, what was sent, and who is signed in to the pages. */
export async function createNotifications(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await createApprovalEvents(db, engine)
  await db.schema
    .createTable('webhooks')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('url', 'kind', 'secret', 'events', 'min_danger', 'created_at', 'created_by_id'))
    .addColumn('include_command', 'integer', (column) => column.notNull())
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('webhooks_oldest').on('webhooks').columns(['fleet_id', 'created_at', 'id']).execute()
  await createDeliveries(db)
  await db.schema
    .createTable('page_sessions')
    .addColumn('secret_hash', 'text', (column) => column.primaryKey())
    .addColumn('key_id', 'text', (column) => column.notNull().references('api_keys.id').onDelete('cascade'))
    .$call(withTexts('expires_at'))
    .execute()
  await db.schema.createIndex('page_sessions_expiry').on('page_sessions').column('expires_at').execute()
}

async function createApprovalEvents(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await db.schema
    .createTable('approval_events')
    .addColumn('position', 'integer', (column) => engine.counting(column))
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('approval_id', 'text', (column) => column.notNull().references('approvals.id'))
    .$call(withTexts('state', 'at'))
    .addColumn('told', 'integer', (column) => column.notNull())
    .addUniqueConstraint('approval_events_once', ['approval_id', 'state'])
    .execute()
  await db.schema.createIndex('approval_events_fleet').on('approval_events').columns(['fleet_id', 'position']).execute()
  await db.schema
    .createIndex('approval_events_untold')
    .on('approval_events')
    .column('position')
    .where(sql.ref('told'), '=', sql.lit(0))
    .execute()
  // Of approvals from before, nobody is told any more.
  await sql`insert into approval_events (fleet_id, approval_id, state, at, told)
    select fleet_id, id, state, coalesce(decided_at, created_at), 1 from approvals order by created_at, id`.execute(db)
}

async function createDeliveries(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('deliveries')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('webhook_id', 'text', (column) => column.notNull().references('webhooks.id').onDelete('cascade'))
    .$call(withTexts('fleet_id', 'subject_id', 'event', 'body', 'state', 'due_at', 'give_up_at', 'created_at'))
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('status', 'integer')
    .addColumn('error', 'text')
    .addColumn('answer', 'text')
    .addColumn('ended_at', 'text')
    .addUniqueConstraint('deliveries_once', ['webhook_id', 'subject_id', 'event'])
    .execute()
  const indexes = { newest: ['webhook_id', 'created_at desc', 'id'], due: ['state', 'due_at'], ended: ['ended_at'] }
  for (const [name, columns] of Object.entries(indexes))
    await db.schema.createIndex(`deliveries_${name}`).on('deliveries').columns(columns).execute()
}

type Table = CreateTableBuilder<string, string>

function withTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text', (column) => column.notNull()), table)
}
