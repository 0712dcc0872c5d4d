import { CamelCasePlugin } from 'kysely'
import { rowsOf, type Table } from './table.ts'

/** The names of columns: `fleet_id` in the database is `fleetId` in the code. */
export class ColumnNames extends CamelCasePlugin {
  /** Rows as the code has them. */
  rows<Row>(table: Table): Row[] {
    return rowsOf(
      table,
      table.columns.map((column) => this.camelCase(column)),
    )
  }
}
