import { chmod, mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { toCmdopError } from '@cmdop/protocol'
import { type CompiledQuery, Kysely } from 'kysely'
import { createSeal, readSealKey } from './seal.ts'
import { migrate } from './sql/migrations.ts'
import { SqlStore, type SqlStoreOptions } from './sql/sql-store.ts'
import type { Tables } from './sql/tables.ts'
import { ColumnNames } from './sqlite/column-names.ts'
import { SqliteWorkerDialect, SqliteWorkerDriver } from './sqlite/sqlite-dialect.ts'
import { sqliteEngine } from './sqlite/sqlite-engine.ts'
import { SqliteLookups } from './sqlite/sqlite-lookups.ts'
import { SqliteWorker } from './sqlite/sqlite-worker-client.ts'
import type { WorkerStats } from './sqlite/worker-messages.ts'

/** A statement waits so long for another process that holds the file. */
const busyTimeoutMs = 5_000
/** A transaction that forgot its end holds up the rest for so long. */
const transactionIdleMs = 10_000

/** Where the embedded store lives. */
export interface SqliteStoreOptions {
  /**
   * The database file. It is made with mode 0600, and folders that are missing with 0700. Beside it is `<file>.key`, without which nobody
   * reads the secrets in it.
   */
  readonly file: string
}

/**
 * Opens the embedded store, making or migrating its file. Several may be open on one file, also in several processes.
 * `config` when the file cannot be opened, is no SQLite database or belongs to a newer relay.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const file = resolve(options.file)
  await prepareFile(file)
  const seal = createSeal(await readSealKey(`${file}.key`))
  const worker = await SqliteWorker.start({ file, busyTimeoutMs, transactionIdleMs })
  const driver = new SqliteWorkerDriver(worker)
  const names = new ColumnNames()
  const db = new Kysely<Tables>({ dialect: new SqliteWorkerDialect(driver), plugins: [names] })
  try {
    await migrate(db, sqliteEngine, seal)
    const lookups = new SqliteLookups({ file, db, names })
    const close = async () => {
      lookups.close()
      await driver.destroy()
    }
    const run = (query: CompiledQuery) => driver.run(query)
    const { find: lookup, readPage } = lookups
    return new SqliteStore({ db, engine: sqliteEngine, seal, lookup, readPage, run, close }, worker)
  } catch (error) {
    await driver.destroy()
    throw error
  }
}

/** The embedded store; see {@link openSqliteStore}. */
export class SqliteStore extends SqlStore {
  readonly #worker: SqliteWorker

  constructor(options: SqlStoreOptions, worker: SqliteWorker) {
    super(options)
    this.#worker = worker
  }

  /** How much work shared how many commits, since this store was opened. */
  async stats(): Promise<WorkerStats> {
    const { stats } = await this.#worker.request({ kind: 'stats' })
    return stats as WorkerStats
  }
}

/** SQLite gives its `-wal` and `-shm` files the mode of the database file, so that one must be right from the start. */
async function prepareFile(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const handle = await open(file, 'a', 0o600)
    await handle.close()
    await chmod(file, 0o600)
  } catch (error) {
    throw toCmdopError(error, 'config', `Expected ${file} to be a file that this process can make and write.`)
  }
}
