import type { DatabaseSync } from 'node:sqlite'
import { StatementCache } from './statement-cache.ts'
import type {
  ControlRequest,
  StatementRequest,
  TransactionRequest,
  WorkerAnswer,
  WorkerFailure,
  WorkerRequest,
  WorkerSuccess,
} from './worker-messages.ts'

/** Statements in one commit. It bounds how long the first one of a group waits for its answer. */
const maxGroup = 512

/** Primary result codes after which SQLite has undone the commit and the database is sound: BUSY, FULL, CONSTRAINT. */
const soundAfterCommit = new Set([5, 13, 19])

/**
 * Decides in which order the worker runs what it is sent, and what shares a commit.
 *
 * Statements on their own that wait together run in one transaction (group commit) and are answered after its COMMIT
 * returned. One that fails, fails alone; a failed COMMIT fails them all. A transaction of the relay runs alone: what
 * comes meanwhile waits, in order, until it is committed or rolled back, or idle for `transactionIdleMs`.
 *
 * Throws when a COMMIT fails in a way that leaves the database in doubt (an I/O error, a corrupt file). Nothing that was
 * not answered counts as committed then, and the worker must end.
 */
export class StatementQueue {
  readonly #database: DatabaseSync
  readonly #statements: StatementCache
  readonly #answer: (answers: readonly WorkerAnswer[]) => void
  readonly #transactionIdleMs: number
  readonly #waiting: Exclude<WorkerRequest, { kind: 'commit' | 'rollback' }>[] = []
  readonly #stats = { groupCommits: 0, groupedStatements: 0, transactionCommits: 0 }
  #transaction: { readonly number: number; readonly idle: NodeJS.Timeout } | null = null

  constructor(
    database: DatabaseSync,
    answer: (answers: readonly WorkerAnswer[]) => void,
    options: { readonly transactionIdleMs: number },
  ) {
    this.#database = database
    this.#statements = new StatementCache(database)
    this.#answer = answer
    this.#transactionIdleMs = options.transactionIdleMs
  }

  /** Takes requests in order. What belongs to the open transaction runs now; the rest waits for {@link drain}. */
  accept(requests: readonly WorkerRequest[]): void {
    for (const request of requests) {
      if (request.kind === 'commit' || request.kind === 'rollback') this.#endTransaction(request)
      else if (request.kind === 'statement' && request.transaction !== null) this.#runInTransaction(request)
      else this.#waiting.push(request)
    }
  }

  /** Runs what waits, until nothing does or a transaction is open. */
  drain(): void {
    while (this.#transaction === null && this.#waiting.length > 0) {
      const group = this.#takeGroup()
      if (group.length > 0) {
        this.#answer(this.#runGroup(group))
        continue
      }
      const next = this.#waiting.shift()
      if (next?.kind === 'begin') this.#beginTransaction(next)
      else if (next?.kind === 'stats' || next?.kind === 'close') this.#control(next)
    }
  }

  #takeGroup(): StatementRequest[] {
    const group: StatementRequest[] = []
    for (const request of this.#waiting) {
      if (request.kind !== 'statement' || group.length === maxGroup) break
      group.push(request)
    }
    this.#waiting.splice(0, group.length)
    return group
  }

  #runGroup(group: readonly StatementRequest[]): WorkerAnswer[] {
    const writing = group.filter((request) => request.writes).length
    if (writing === 0) return group.map((request) => this.#run(request))
    this.#stats.groupedStatements += writing
    try {
      this.#statements.run('begin immediate')
    } catch (error) {
      return failAll(group, error)
    }
    const answers: WorkerAnswer[] = []
    for (const request of group) {
      const answer = this.#run(request)
      answers.push(answer)
      // A full disk or an I/O error makes SQLite undo the whole transaction, and with it the statements before.
      if ('failure' in answer && !this.#database.isTransaction) {
        return group.map(({ id }) => ({ id, failure: answer.failure }))
      }
    }
    const failure = this.#commit()
    if (failure !== null) return group.map(({ id }) => ({ id, failure }))
    this.#stats.groupCommits += 1
    return answers
  }

  #run(request: StatementRequest): WorkerAnswer {
    try {
      return { id: request.id, ...this.#statements.table(request.sql, request.parameters) }
    } catch (error) {
      return { id: request.id, failure: toFailure(error) }
    }
  }

  #commit(): WorkerFailure | null {
    try {
      this.#statements.run('commit')
      return null
    } catch (error) {
      const failure = toFailure(error)
      if (failure.sqliteCode === null || !soundAfterCommit.has(failure.sqliteCode & 0xff)) throw error
      this.#rollback()
      return failure
    }
  }

  #rollback(): void {
    if (this.#database.isTransaction) this.#statements.run('rollback')
  }

  #beginTransaction(request: TransactionRequest): void {
    try {
      this.#statements.run('begin immediate')
    } catch (error) {
      this.#answer([{ id: request.id, failure: toFailure(error) }])
      return
    }
    const idle = setTimeout(() => this.#expireTransaction(), this.#transactionIdleMs)
    this.#transaction = { number: request.transaction, idle }
    this.#answer([success(request.id)])
  }

  #runInTransaction(request: StatementRequest): void {
    const transaction = this.#transaction
    if (transaction === null || transaction.number !== request.transaction) {
      this.#answer([{ id: request.id, failure: this.#endedFailure() }])
      return
    }
    transaction.idle.refresh()
    const answer = this.#run(request)
    if (!this.#database.isTransaction) this.#forgetTransaction()
    this.#answer([answer])
  }

  #endTransaction(request: TransactionRequest): void {
    if (this.#transaction?.number !== request.transaction) {
      const ended = this.#endedFailure()
      this.#answer([request.kind === 'rollback' ? success(request.id) : { id: request.id, failure: ended }])
      return
    }
    let failure: WorkerFailure | null = null
    if (request.kind === 'rollback') this.#rollback()
    else failure = this.#commit()
    this.#forgetTransaction()
    if (request.kind === 'commit' && failure === null) this.#stats.transactionCommits += 1
    this.#answer([failure === null ? success(request.id) : { id: request.id, failure }])
  }

  #expireTransaction(): void {
    this.#rollback()
    this.#forgetTransaction()
    this.drain()
  }

  #forgetTransaction(): void {
    clearTimeout(this.#transaction?.idle)
    this.#transaction = null
  }

  #endedFailure(): WorkerFailure {
    const message = `The transaction has ended already, or was rolled back after ${this.#transactionIdleMs} ms without a statement.`
    return { sqliteCode: null, message }
  }

  #control(request: ControlRequest): void {
    if (request.kind === 'close') this.#database.close()
    this.#answer([{ ...success(request.id), stats: { ...this.#stats } }])
  }
}

function success(id: number): WorkerSuccess {
  return { id, columns: [], rows: [], changes: 0 }
}

function failAll(group: readonly StatementRequest[], error: unknown): WorkerAnswer[] {
  const failure = toFailure(error)
  return group.map(({ id }) => ({ id, failure }))
}

function toFailure(error: unknown): WorkerFailure {
  const known = error as { readonly errcode?: unknown; readonly message?: unknown }
  return {
    sqliteCode: typeof known.errcode === 'number' ? known.errcode : null,
    message: typeof known.message === 'string' ? known.message : 'unknown error',
  }
}
