import { CamelCasePlugin } from 'kysely'

/** The names of columns: `fleet_id` in the database is `fleetId` in the code. */
export class ColumnNames extends CamelCasePlugin {
  /** Rows as the code has them. */
  rows<Row>({ columns, rows }: Table): Row[] {
    const names = columns.map((column) => this.camelCase(column))
    // Filling in is twice as fast as adding.
    const blank: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, null]))
    return rows.map((values) => {
      const row = { ...blank }
      for (let index = 0; index < names.length; index += 1) row[names[index] ?? ''] = values[index]
      return row as Row
    })
  }
}

/** Rows as the database gives them: the values of each in the order of the columns. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}
