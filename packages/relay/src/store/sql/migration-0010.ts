import type { Kysely } from 'kysely'

/** Wrong codes of authenticators are counted, and lock them for a time. */
export async function lockTotp(db: Kysely<unknown>): Promise<void> {
  for (const name of ['attempts', 'lockouts'])
    await db.schema
      .alterTable('totp')
      .addColumn(name, 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
  await db.schema.alterTable('totp').addColumn('locked_until', 'text').execute()
}
