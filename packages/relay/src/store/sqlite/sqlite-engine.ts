import { sql } from 'kysely'
import type { SqlEngine } from '../sql/tables.ts'

/** What SQLite says in its own way; see {@link SqlEngine}. */
export const sqliteEngine: SqlEngine = {
  counting: (column) => column.primaryKey().autoIncrement(),
  fieldOfBody: (field) => sql`json_extract(body, ${sql.lit(`$.row.${field}`)})`,
  makeAppendOnly: async (db, table, mayDelete) => {
    for (const change of ['update', 'delete']) {
      const unless = mayDelete === undefined || change === 'update' ? sql`` : sql`when not ${mayDelete}`
      await sql`create trigger ${sql.id(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)} ${unless}
        begin select raise(abort, ${sql.lit(`${table} is append-only`)}); end`.execute(db)
    }
  },
  isAnyOf: (column, values) => sql`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values)}))`,
}
