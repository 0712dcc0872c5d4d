import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { auditFields } from '../audit-store.ts'
import { openTemporaryStore } from './temporary-store.ts'

test('every field that rows are asked for by has an index, but the kind, of which there are three', async () => {
  await using world = await openTemporaryStore()
  using database = new DatabaseSync(world.file, { readOnly: true })
  const planOf = (column: string) =>
    database
      .prepare(
        `explain query plan select position from audit_index where fleet_id = ? and ${column} = ? order by position desc`,
      )
      .all('flt_1', 'x')
      .map(({ detail }) => String(detail))
  for (const field of auditFields.filter((each) => each !== 'kind')) {
    const column = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const plan = planOf(column)
    expect(plan, field).toEqual([expect.stringContaining(`audit_by_${column} (fleet_id=? AND ${column}=?)`)])
  }
})
