import { type CreateTableBuilder, type Kysely, sql } from 'kysely'

/** Members with email and groups, sign-in, limits of keys, and what becomes of the key of a machine. */
export async function createIdentity(db: Kysely<unknown>): Promise<void> {
  await addColumns(db, 'principals', ['email', 'invited_by_id', 'removed_at'])
  await db.schema
    .alterTable('principals')
    .addColumn('groups', 'text', (column) => column.notNull().defaultTo('[]'))
    .execute()
  await db.schema
    .createIndex('principals_email')
    .on('principals')
    .columns(['fleet_id', 'email'])
    .unique()
    .where(sql.ref('email'), 'is not', null)
    .where(sql.ref('removed_at'), 'is', null)
    .execute()
  await db.schema.createIndex('principals_fleet').on('principals').columns(['fleet_id', 'kind', 'created_at']).execute()
  const limits = ['role', 'scopes', 'ip_ranges', 'rotated_from', 'parent_id', 'lent_by_id', 'ip', 'user_agent']
  await addColumns(db, 'api_keys', limits)
  await db.schema.alterTable('api_keys').addColumn('max_targets_per_run', 'integer').execute()
  await db.schema
    .alterTable('api_keys')
    .addColumn('credential', 'text', (column) => column.notNull().defaultTo('key'))
    .execute()
  await db.schema.createIndex('api_keys_principal').on('api_keys').columns(['principal_id']).execute()
  await db.schema.createIndex('api_keys_parent').on('api_keys').columns(['parent_id']).execute()
  await addColumns(db, 'machines', ['next_public_key', 'quarantined_at'])
  await db.schema
    .alterTable('fleets')
    .addColumn('mfa_required', 'text', (column) => column.notNull().defaultTo('optional'))
    .execute()
  await db.schema.alterTable('fleets').addColumn('four_eyes', 'integer').execute()
  await createSignIn(db)
}

async function createSignIn(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('invitations')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('invited_by_id', 'text', (column) => column.notNull().references('principals.id'))
    .$call(withTexts('secret_hash', 'email', 'role', 'groups', 'created_at', 'expires_at'))
    .addColumn('accepted_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute()
  await db.schema.createIndex('invitations_newest').on('invitations').columns(['fleet_id', 'created_at desc']).execute()
  await db.schema
    .createTable('sign_in_codes')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('principal_id', 'text', (column) => column.notNull().references('principals.id'))
    .$call(withTexts('code_hash', 'created_at', 'expires_at'))
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('lent_by_id', 'text')
    .execute()
  await db.schema.createIndex('sign_in_codes_principal').on('sign_in_codes').columns(['principal_id']).execute()
  await db.schema
    .createTable('totp')
    .addColumn('principal_id', 'text', (column) => column.primaryKey().references('principals.id'))
    .$call(withTexts('secret'))
    .addColumn('confirmed_at', 'text')
    .addColumn('last_step', 'integer', (column) => column.notNull())
    .execute()
}

/** One statement each: SQLite takes no more. */
async function addColumns(db: Kysely<unknown>, table: string, names: readonly string[]): Promise<void> {
  for (const name of names) await db.schema.alterTable(table).addColumn(name, 'text').execute()
}

function withTexts(...names: string[]) {
  return (table: CreateTableBuilder<string, string>) =>
    names.reduce((built, name) => built.addColumn(name, 'text', (column) => column.notNull()), table)
}
