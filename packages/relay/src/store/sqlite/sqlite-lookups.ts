import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { CompiledQuery } from 'kysely'
import type { Database, Lookup, ReadPage } from '../sql/tables.ts'
import type { ColumnNames } from './column-names.ts'
import { StatementCache } from './statement-cache.ts'
import type { SqlValue } from './worker-messages.ts'

/** What {@link SqliteLookups} stands on. */
export interface SqliteLookupsOptions {
  /** Open in the worker already; to be closed there after here, so that its log is put away. */
  readonly file: string
  /** Asked instead when SQLite refuses here, such as a file that is busy, and after {@link SqliteLookups.close}. */
  readonly db: Database
  /** Names the columns as the code does. */
  readonly names: ColumnNames
}

/**
 * Reads single rows by their key, and pages, on the thread that asks: that takes some microseconds, where the way to the worker
 * and back takes many times as long, and every request waits for whose key it shows. Of a page the way takes more of this very
 * thread than the reading. It sees what is committed, whoever did
 * it, and waits for no writer (https://www.sqlite.org/wal.html#concurrency).
 */
export class SqliteLookups {
  readonly #options: SqliteLookupsOptions
  readonly #database: DatabaseSync
  readonly #statements: StatementCache

  constructor(options: SqliteLookupsOptions) {
    this.#options = options
    this.#database = new DatabaseSync(options.file, { readOnly: true })
    this.#statements = new StatementCache(this.#database)
  }

  readonly find: Lookup = async <Row>(query: CompiledQuery) => {
    const rows = this.#read(() => this.#statements.run(query.sql, valuesOf(query)).rows)
    if (rows === undefined) return (await this.#options.db.executeQuery<Row>(query)).rows[0]
    const { queryId } = query
    const named = await this.#options.names.transformResult({
      queryId,
      result: { rows: rows as Record<string, unknown>[] },
    })
    return named.rows[0] as Row | undefined
  }

  readonly readPage: ReadPage = async <Row>(query: CompiledQuery) => {
    // Who reads page after page lets others in between.
    await setImmediate()
    const table = this.#read(() => this.#statements.table(query.sql, valuesOf(query)))
    if (table === undefined) return (await this.#options.db.executeQuery<Row>(query)).rows
    return this.#options.names.rows<Row>(table)
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #read<Value>(from: () => Value): Value | undefined {
    try {
      return from()
    } catch {
      return undefined
    }
  }
}

function valuesOf({ parameters }: CompiledQuery): readonly SqlValue[] {
  return parameters as readonly SqlValue[]
}
