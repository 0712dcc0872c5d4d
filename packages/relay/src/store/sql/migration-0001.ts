import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { SqlEngine } from './tables.ts'

/** The tables of the first version, an index for every query of the port. */
export async function createFirstTables(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await createFleets(db)
  await createKeys(db)
  await createMachines(db)
  await createAudit(db, engine)
  await db.schema
    .createTable('relay_key')
    .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
    .$call(withTexts('relay_id', 'private_key', 'public_key'))
    .execute()
}

async function createFleets(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('fleets')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .$call(withTexts('name', 'slug', 'created_at'))
    .addUniqueConstraint('fleets_slug', ['slug'])
    .execute()
  await db.schema.createIndex('fleets_created').on('fleets').columns(['created_at', 'id']).execute()
  await db.schema
    .createTable('principals')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('kind', 'name', 'role', 'created_at'))
    .addColumn('acts_for_id', 'text', (column) => column.references('principals.id'))
    .execute()
}

async function createKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('api_keys')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('principal_id', 'text', (column) => column.notNull().references('principals.id'))
    .$call(withTexts('name', 'secret_hash', 'prefix', 'created_at'))
    .$call(withOptionalTexts('expires_at', 'last_used_at', 'revoked_at'))
    .execute()
  const newestFirst = ['fleet_id', 'created_at desc', 'id'] as const
  await db.schema
    .createIndex('api_keys_newest')
    .on('api_keys')
    .columns([...newestFirst])
    .execute()
  await db.schema
    .createTable('enrollment_tokens')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('created_by_id', 'text', (column) => column.notNull().references('principals.id'))
    .$call(withTexts('secret_hash', 'created_at', 'expires_at'))
    .addColumn('max_uses', 'integer', (column) => column.notNull())
    .addColumn('uses', 'integer', (column) => column.notNull())
    .addCheckConstraint('enrollment_tokens_uses', sql`uses <= max_uses`)
    .execute()
  await db.schema
    .createTable('tickets')
    .addColumn('secret_hash', 'text', (column) => column.primaryKey())
    .addColumn('key_id', 'text', (column) => column.notNull().references('api_keys.id'))
    .$call(withTexts('expires_at'))
    .execute()
  await db.schema.createIndex('tickets_expiry').on('tickets').column('expires_at').execute()
}

async function createMachines(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('machines')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .$call(withTexts('name', 'hostname', 'os', 'architecture', 'agent_version', 'public_key', 'created_at'))
    .$call(withOptionalTexts('last_seen_at', 'disabled_at'))
    .addUniqueConstraint('machines_name', ['fleet_id', 'name'])
    .execute()
  await db.schema.createIndex('machines_hostname').on('machines').columns(['fleet_id', 'hostname']).execute()
  await db.schema.createIndex('machines_id').on('machines').columns(['fleet_id', 'id']).execute()
}

/** No foreign keys: the log also holds attempts of those who are not, or no longer, in the other tables. */
async function createAudit(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('position', 'integer', (column) => engine.counting(column))
    .$call(withTexts('id', 'kind', 'fleet_id', 'at', 'principal_id', 'action', 'decision'))
    .$call(withOptionalTexts('intent_id', 'machine_id', 'call_id', 'digest', 'code', 'request_id'))
    .addColumn('exit_code', 'integer')
    .addColumn('duration_ms', 'double precision')
    .addUniqueConstraint('audit_id', ['id'])
    .execute()
  await db.schema.createIndex('audit_fleet').on('audit').columns(['fleet_id', 'position']).execute()
  for (const column of ['call_id', 'machine_id']) {
    await db.schema
      .createIndex(`audit_${column}`)
      .on('audit')
      .columns(['fleet_id', column, 'position'])
      .where(sql.ref(column), 'is not', null)
      .execute()
  }
  await engine.makeAppendOnly(db, 'audit')
}

type Table = CreateTableBuilder<string, string>

function withTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text', (column) => column.notNull()), table)
}

function withOptionalTexts(...names: string[]): (table: Table) => Table {
  return (table) => names.reduce((built, name) => built.addColumn(name, 'text'), table)
}
