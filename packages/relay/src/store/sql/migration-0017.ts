import type { Kysely } from 'kysely'

/** Changes that callers have named, so that one that is sent twice is one. */
export async function createIdempotencyKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('principal_id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('status', 'integer')
    .addColumn('body', 'text')
    .addPrimaryKeyConstraint('idempotency_keys_key', ['principal_id', 'key'])
    .execute()
  await db.schema.createIndex('idempotency_keys_at').on('idempotency_keys').column('at').execute()
}
