import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { StatementQueue } from './statement-queue.ts'
import type { WorkerAnswer, WorkerRequest } from './worker-messages.ts'

/** A queue over a database in memory, with everything it answered. */
function startQueue({ transactionIdleMs = 60_000, schema = 'create table numbers (value integer unique)' } = {}) {
  const database = new DatabaseSync(':memory:')
  database.exec(schema)
  const batches: (readonly WorkerAnswer[])[] = []
  const uncommitted: boolean[] = []
  const next = Promise.withResolvers<readonly WorkerAnswer[]>()
  const queue = new StatementQueue(
    database,
    (answers) => {
      batches.push(answers)
      uncommitted.push(database.isOpen && database.isTransaction)
      if (batches.length > 1) next.resolve(answers)
    },
    { transactionIdleMs },
  )
  return {
    database,
    batches,
    /** For each batch, whether a transaction was open when it was answered. */
    uncommitted,
    /** The answers after the first ones. */
    later: next.promise,
    ask(...requests: WorkerRequest[]): void {
      queue.accept(requests)
      queue.drain()
    },
    stats(): unknown {
      queue.accept([{ id: 999, kind: 'stats' }])
      queue.drain()
      const [answer] = batches.at(-1) ?? []
      return answer !== undefined && 'stats' in answer ? answer.stats : undefined
    },
    values: (): unknown[] =>
      database
        .prepare('select value from numbers order by rowid')
        .all()
        .map(({ value }) => value),
  }
}

function insert(id: number, value: number | null, transaction: number | null = null): WorkerRequest {
  const sql = 'insert into numbers (value) values (?)'
  return { id, kind: 'statement', transaction, writes: true, sql, parameters: [value] }
}

const ids = (answers: readonly WorkerAnswer[] | undefined): number[] => (answers ?? []).map(({ id }) => id)
const failed = (answers: readonly WorkerAnswer[] | undefined): number[] =>
  ids((answers ?? []).filter((answer) => 'failure' in answer))

describe('statements on their own', () => {
  it('share one commit when they wait together, and are answered together', () => {
    const queue = startQueue()
    queue.ask(insert(1, 10), insert(2, 20), insert(3, 30))
    expect(queue.batches.map(ids)).toEqual([[1, 2, 3]])
    expect(queue.stats()).toMatchObject({ groupCommits: 1, groupedStatements: 3 })
  })

  it('are answered only after the COMMIT returned', () => {
    const queue = startQueue()
    queue.ask(insert(1, 10), insert(2, 10), { id: 3, kind: 'begin', transaction: 1 })
    queue.ask({ id: 4, kind: 'commit', transaction: 1 })
    expect(queue.batches.map(ids)).toEqual([[1, 2], [3], [4]])
    expect(queue.uncommitted).toEqual([false, true, false])
  })

  it('fail alone: the rest of the group is committed', () => {
    const queue = startQueue()
    const broken: WorkerRequest = {
      ...insert(3, 0),
      kind: 'statement',
      sql: 'insert into nothing',
      parameters: [],
    } as never
    queue.ask(insert(1, 10), insert(2, 10), broken, insert(4, 20))
    expect(failed(queue.batches[0])).toEqual([2, 3])
    expect(queue.values()).toEqual([10, 20])
    expect(queue.database.isTransaction).toBe(false)
  })

  it('all fail when the COMMIT fails, and the next group is sound', () => {
    const schema = `pragma foreign_keys = on; create table parents (id integer primary key);
      create table numbers (value integer references parents deferrable initially deferred)`
    const queue = startQueue({ schema })
    queue.ask(insert(1, null), insert(2, 7))
    expect(failed(queue.batches[0])).toEqual([1, 2])
    queue.ask(insert(3, null))
    expect(failed(queue.batches[1])).toEqual([])
    expect(queue.values()).toEqual([null])
  })

  it('all fail when SQLite undoes their transaction, as on a full disk', () => {
    const queue = startQueue({ schema: 'create table numbers (value); pragma max_page_count = 20' })
    queue.ask(insert(1, 1))
    const large = {
      ...insert(3, 0),
      sql: 'insert into numbers (value) values (zeroblob(1000000) || ?)',
    } as WorkerRequest
    queue.ask(insert(2, 2), large, insert(4, 4))
    expect(failed(queue.batches[1])).toEqual([2, 3, 4])
    expect(queue.values()).toEqual([1])
  })

  it('are split into bounded groups', () => {
    const queue = startQueue()
    queue.ask(...Array.from({ length: 1200 }, (_, index) => insert(index, index)))
    expect(queue.batches.map((batch) => batch.length)).toEqual([512, 512, 176])
  })

  it('end the worker when a COMMIT leaves the database in doubt', () => {
    const queue = startQueue()
    const rogue = { ...insert(1, 0), sql: 'commit', parameters: [] } as WorkerRequest
    expect(() => queue.ask(rogue, insert(2, 2))).toThrow('no transaction is active')
    expect(queue.batches).toEqual([])
  })
})

describe('a transaction', () => {
  it('ends the group before it, runs alone, and lets the rest run after its commit, in order', () => {
    const queue = startQueue()
    queue.ask(insert(1, 1), { id: 2, kind: 'begin', transaction: 1 }, insert(3, 3))
    queue.ask(insert(4, 4), insert(5, 5, 1))
    expect(queue.batches.map(ids)).toEqual([[1], [2], [5]])
    queue.ask({ id: 6, kind: 'begin', transaction: 2 }, { id: 7, kind: 'commit', transaction: 1 })
    expect(queue.batches.map(ids)).toEqual([[1], [2], [5], [7], [3, 4], [6]])
    expect(queue.values()).toEqual([1, 5, 3, 4])
  })

  it('leaves nothing when it is rolled back', () => {
    const queue = startQueue()
    queue.ask({ id: 1, kind: 'begin', transaction: 1 })
    queue.ask(insert(2, 2, 1), { id: 3, kind: 'rollback', transaction: 1 }, insert(4, 4))
    expect(queue.values()).toEqual([4])
  })

  it('goes on after a statement of it failed', () => {
    const queue = startQueue()
    queue.ask(insert(1, 1), { id: 2, kind: 'begin', transaction: 1 })
    queue.ask(insert(3, 1, 1), insert(4, 4, 1), { id: 5, kind: 'commit', transaction: 1 })
    expect(queue.batches.flatMap(failed)).toEqual([3])
    expect(queue.values()).toEqual([1, 4])
  })

  it('is rolled back when it is idle for too long, so that it cannot block the rest', async () => {
    const queue = startQueue({ transactionIdleMs: 1 })
    queue.ask({ id: 1, kind: 'begin', transaction: 1 }, insert(2, 2))
    expect(ids(await queue.later)).toEqual([2])
    queue.ask(insert(3, 3, 1), { id: 4, kind: 'commit', transaction: 1 }, { id: 5, kind: 'rollback', transaction: 1 })
    expect(queue.batches.flatMap(failed)).toEqual([3, 4])
    expect(queue.values()).toEqual([2])
  })

  it('that is open is finished before the database closes', () => {
    const queue = startQueue()
    queue.ask({ id: 1, kind: 'begin', transaction: 1 }, { id: 2, kind: 'close' })
    expect(queue.database.isOpen).toBe(true)
    queue.ask({ id: 3, kind: 'commit', transaction: 1 })
    expect(queue.batches.map(ids)).toEqual([[1], [3], [2]])
    expect(queue.database.isOpen).toBe(false)
  })
})
