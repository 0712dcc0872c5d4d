import type { Kysely } from 'kysely'

/** Labels: of machines, as the relay and as their daemons have them, and of what enrols with a token. */
export async function createLabels(db: Kysely<unknown>): Promise<void> {
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
