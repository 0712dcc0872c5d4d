import { DatabaseSync } from 'node:sqlite'
import type { CamelCasePlugin, CompiledQuery } from 'kysely'
import type { Database, Lookup } from '../sql/tables.ts'
import { StatementCache } from './statement-cache.ts'
import type { SqlValue } from './worker-messages.ts'

/** What {@link SqliteLookups} stands on. */
export interface SqliteLookupsOptions {
  /** Open in the worker already; to be closed there after here, so that its log is put away. */
  readonly file: string
  /** Asked instead when SQLite refuses here, such as a file that is busy, and after {@link SqliteLookups.close}. */
  readonly db: Database
  /** Names the columns as the code does. */
  readonly names: CamelCasePlugin
}

/**
 * Reads single rows by their key on the thread that asks: that takes some microseconds, where the way to the worker and
 * back takes many times as long, and every request waits for whose key it shows. It sees what is committed, whoever did
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
    const rows = this.#read(query)
    if (rows === undefined) return (await this.#options.db.executeQuery<Row>(query)).rows[0]
    const { queryId } = query
    const named = await this.#options.names.transformResult({
      queryId,
      result: { rows: rows as Record<string, unknown>[] },
    })
    return named.rows[0] as Row | undefined
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #read({ sql, parameters }: CompiledQuery): readonly unknown[] | undefined {
    try {
      return this.#statements.run(sql, parameters as readonly SqlValue[]).rows
    } catch {
      return undefined
    }
  }
}
