import { type Kysely, sql } from 'kysely'

/** Tunnels to ports of machines. */
export async function createTunnels(db: Kysely<unknown>): Promise<void> {
  let table = db.schema
    .createTable('tunnels')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('machine_id', 'text', (column) => column.notNull().references('machines.id'))
  for (const name of [
    'created_by_id',
    'created_by_key_id',
    'protocol',
    'local_host',
    'auth',
    'created_at',
    'expires_at',
  ])
    table = table.addColumn(name, 'text', (column) => column.notNull())
  for (const name of ['local_port', 'max_connections', 'idle_seconds', 'insecure_tls', 'connections'])
    table = table.addColumn(name, 'integer', (column) => column.notNull())
  for (const name of ['subdomain', 'auth_hash', 'allowed_peers', 'tls_server_name', 'closed_at', 'closed_reason'])
    table = table.addColumn(name, 'text')
  await table
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('max_bytes', 'bigint')
    .execute()
  await db.schema
    .createIndex('tunnels_subdomain')
    .on('tunnels')
    .column('subdomain')
    .unique()
    .where(sql.ref('closed_at'), 'is', null)
    .execute()
  await db.schema.createIndex('tunnels_newest').on('tunnels').columns(['fleet_id', 'created_at desc', 'id']).execute()
  await db.schema.createIndex('tunnels_expiry').on('tunnels').columns(['closed_at', 'expires_at']).execute()
}
