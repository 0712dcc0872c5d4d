import { CmdopError } from '@cmdop/protocol'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { SqliteWorker } from './sqlite-worker-client.ts'
import { rowsOf } from './table.ts'
import type { SqlValue } from './worker-messages.ts'

/** Kysely's SQLite dialect over a {@link SqliteWorker}. */
export class SqliteWorkerDialect implements Dialect {
  readonly #driver: Driver

  constructor(driver: SqliteWorkerDriver) {
    this.#driver = driver
  }

  createDriver(): Driver {
    return this.#driver
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler()
  }

  createAdapter(): SqliteAdapter {
    return new SqliteWorkerAdapter()
  }

  createIntrospector(db: Kysely<unknown>): SqliteIntrospector {
    return new SqliteIntrospector(db)
  }
}

/** Kysely would let one statement through at a time, and run migrations without a transaction; the worker needs neither. */
class SqliteWorkerAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }

  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/**
 * Gives out connections, as many as are asked for: all lead to one worker, which decides what runs when. It counts them,
 * so that `destroy` closes the worker after the last one is done.
 */
export class SqliteWorkerDriver implements Driver {
  readonly #worker: SqliteWorker
  readonly #done = Promise.withResolvers<void>()
  #connections = 0
  #transactions = 0
  #destroyed: Promise<void> | undefined

  constructor(worker: SqliteWorker) {
    this.#worker = worker
  }

  async init(): Promise<void> {}

  /** `unavailable` once {@link destroy} was called. */
  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#destroyed !== undefined) throw new CmdopError('unavailable', 'The store is closed; open it again.')
    this.#connections += 1
    return new SqliteWorkerConnection(this.#worker)
  }

  /** Runs one writing statement without the detour over a connection, and gives how many rows it has written. */
  async run({ sql, parameters }: CompiledQuery): Promise<number> {
    if (this.#destroyed !== undefined) throw new CmdopError('unavailable', 'The store is closed; open it again.')
    const values = parameters as readonly SqlValue[]
    const request = { kind: 'statement', transaction: null, writes: true, sql, parameters: values } as const
    return (await this.#worker.request(request)).changes
  }

  async releaseConnection(): Promise<void> {
    this.#connections -= 1
    if (this.#connections === 0 && this.#destroyed !== undefined) this.#done.resolve()
  }

  async beginTransaction(connection: SqliteWorkerConnection): Promise<void> {
    const transaction = ++this.#transactions
    await this.#worker.request({ kind: 'begin', transaction })
    connection.transaction = transaction
  }

  async commitTransaction(connection: SqliteWorkerConnection): Promise<void> {
    await this.#end(connection, 'commit')
  }

  async rollbackTransaction(connection: SqliteWorkerConnection): Promise<void> {
    await this.#end(connection, 'rollback')
  }

  /** Waits for statements and transactions that have begun, commits them and ends the worker. Idempotent. */
  async destroy(): Promise<void> {
    this.#destroyed ??= this.#finish()
    await this.#destroyed
  }

  async #finish(): Promise<void> {
    if (this.#connections > 0) await this.#done.promise
    await this.#worker.close()
  }

  async #end(connection: SqliteWorkerConnection, kind: 'commit' | 'rollback'): Promise<void> {
    const { transaction } = connection
    if (transaction === null) return
    connection.transaction = null
    await this.#worker.request({ kind, transaction })
  }
}

/** Statements of one caller: in a transaction while `transaction` has its number, otherwise each on its own. */
class SqliteWorkerConnection implements DatabaseConnection {
  transaction: number | null = null
  readonly #worker: SqliteWorker

  constructor(worker: SqliteWorker) {
    this.#worker = worker
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const answer = await this.#worker.request({
      kind: 'statement',
      transaction: this.transaction,
      writes: !SelectQueryNode.is(query.query),
      sql: query.sql,
      parameters: query.parameters as readonly SqlValue[],
    })
    return { rows: rowsOf(answer, answer.columns), numAffectedRows: BigInt(answer.changes) }
  }

  /** `unsupported`: lists are read in pages. */
  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new CmdopError('unsupported', 'The SQLite store does not stream rows; ask for pages.')
  }
}
