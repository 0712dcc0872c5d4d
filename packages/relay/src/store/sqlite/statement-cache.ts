import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Table } from './table.ts'
import type { SqlValue } from './worker-messages.ts'

/** Distinct SQL texts that are kept prepared. The relay has under a hundred; lists of values make more. */
const maxStatements = 256

/** Prepared statements of one database, the least recently used thrown away first. */
export class StatementCache {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, { statement: StatementSync; returnsRows: boolean }>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Runs one statement to its end. Throws what SQLite throws. */
  run(sql: string, parameters: readonly SqlValue[] = []): { rows: readonly unknown[]; changes: number } {
    const { statement, returnsRows } = this.#prepare(sql)
    if (returnsRows) return { rows: statement.all(...parameters), changes: 0 }
    return { rows: [], changes: Number(statement.run(...parameters).changes) }
  }

  /** {@link run} for many rows: without the names in each. */
  table(sql: string, parameters: readonly SqlValue[]): Table & { readonly changes: number } {
    const { statement, returnsRows } = this.#prepare(sql)
    if (!returnsRows) return { columns: [], rows: [], changes: Number(statement.run(...parameters).changes) }
    statement.setReturnArrays(true)
    try {
      const rows = statement.all(...parameters) as unknown as SqlValue[][]
      // Asked each time: who migrates the file gives a table another column.
      return { columns: rows.length === 0 ? [] : statement.columns().map(({ name }) => name), rows, changes: 0 }
    } finally {
      statement.setReturnArrays(false)
    }
  }

  #prepare(sql: string): { statement: StatementSync; returnsRows: boolean } {
    const known = this.#statements.get(sql)
    if (known !== undefined) {
      this.#statements.delete(sql)
      this.#statements.set(sql, known)
      return known
    }
    const statement = this.#database.prepare(sql)
    const prepared = { statement, returnsRows: statement.columns().length > 0 }
    this.#statements.set(sql, prepared)
    if (this.#statements.size > maxStatements) this.#forgetOldest()
    return prepared
  }

  #forgetOldest(): void {
    for (const sql of this.#statements.keys()) {
      this.#statements.delete(sql)
      return
    }
  }
}
