import { type RawBuilder, sql, type SqlBool } from 'kysely'

/** Whether a row is behind this one in a list with the newest first, then by id; every row is where there is none. */
export function isBehind<Column extends 'createdAt' | 'startedAt'>(
  column: Column,
  after: Readonly<Record<Column | 'id', string>> | undefined,
): RawBuilder<SqlBool> {
  if (after === undefined) return sql<SqlBool>`1 = 1`
  const [at, id] = [sql.ref(column), sql.ref('id')]
  return sql<SqlBool>`(${at} < ${after[column]} or (${at} = ${after[column]} and ${id} > ${after.id}))`
}
