import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Kysely, sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { SqliteWorkerDialect, SqliteWorkerDriver } from './sqlite-dialect.ts'
import { SqliteWorker } from './sqlite-worker-client.ts'
import { temporaryFolder } from './temporary-store.ts'

interface Tables {
  numbers: { value: number }
}

/** A kysely database with one table, and the worker under it. */
async function openDatabase({ transactionIdleMs = 60_000 } = {}) {
  const folder = await temporaryFolder()
  await mkdir(dirname(folder.file))
  await writeFile(folder.file, '')
  const worker = await SqliteWorker.start({ file: folder.file, busyTimeoutMs: 1000, transactionIdleMs })
  const driver = new SqliteWorkerDriver(worker)
  const db = new Kysely<Tables>({ dialect: new SqliteWorkerDialect(driver) })
  await sql`create table numbers (value integer unique)`.execute(db)
  return {
    db,
    worker,
    insert: async (value: number, into: Kysely<Tables> = db) =>
      await into.insertInto('numbers').values({ value }).execute(),
    values: async () => (await db.selectFrom('numbers').select('value').execute()).map(({ value }) => value),
    [Symbol.asyncDispose]: async () => {
      await driver.destroy()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe('the SQLite dialect', () => {
  it('commits to a write-ahead log that is on the disk, and checks references', async () => {
    await using world = await openDatabase()
    const pragma = async (name: string) => (await sql`pragma ${sql.raw(name)}`.execute(world.db)).rows[0]
    expect(await pragma('journal_mode')).toEqual({ journal_mode: 'wal' })
    expect(await pragma('synchronous')).toEqual({ synchronous: 2 })
    expect(await pragma('foreign_keys')).toEqual({ foreign_keys: 1 })
    expect(await pragma('busy_timeout')).toEqual({ timeout: 1000 })
  })

  it('keeps others out of a transaction until it is committed', async () => {
    await using world = await openDatabase()
    const order: string[] = []
    const note = (what: string) => () => void order.push(what)
    const outside: Promise<void>[] = []
    await world.db.transaction().execute(async (transaction) => {
      await world.insert(1, transaction)
      outside.push(
        world.insert(2).then(note('outside')),
        world.values().then((seen) => void order.push(`saw ${seen.join()}`)),
      )
      await world.insert(3, transaction)
      note('inside')()
    })
    await Promise.all(outside)
    expect(order).toEqual(['inside', 'outside', 'saw 1,3,2'])
  })

  it('runs many transactions one after the other', async () => {
    await using world = await openDatabase()
    await world.insert(0)
    const add = async () =>
      await world.db.transaction().execute(async (transaction) => {
        const { value } = await transaction.selectFrom('numbers').select('value').executeTakeFirstOrThrow()
        await transaction
          .updateTable('numbers')
          .set({ value: value + 1 })
          .execute()
      })
    await Promise.all(Array.from({ length: 50 }, add))
    expect(await world.values()).toEqual([50])
  })

  it('rolls back a transaction that waits for a statement outside of it, instead of waiting forever', async () => {
    await using world = await openDatabase({ transactionIdleMs: 20 })
    const deadlock = world.db.transaction().execute(async (transaction) => {
      await world.insert(1, transaction)
      await world.insert(2)
    })
    await expect(deadlock).rejects.toMatchObject({ code: 'server' })
    expect(await world.values()).toEqual([2])
  })

  it('rejects what waits and what comes later with `unavailable` when the worker dies', async () => {
    await using world = await openDatabase()
    await world.insert(1)
    // Ends the group behind the worker's back: its own COMMIT fails, and it cannot trust its database any more.
    const rogue = sql`commit`.execute(world.db)
    const neighbour = world.insert(2)
    await expect(rogue).rejects.toMatchObject({ code: 'unavailable' })
    await expect(neighbour).rejects.toMatchObject({ code: 'unavailable' })
    await expect(world.insert(3)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(world.db.transaction().execute(async () => {})).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('refuses the rest of a transaction that was ended behind its back', async () => {
    await using world = await openDatabase()
    const broken = world.db.transaction().execute(async (transaction) => {
      await world.insert(1, transaction)
      await sql`rollback`.execute(transaction)
      await world.insert(2, transaction)
    })
    await expect(broken).rejects.toMatchObject({ code: 'server' })
    expect(await world.values()).toEqual([])
  })

  it('refuses more statements than may wait, but lets a transaction that has begun end', async () => {
    await using world = await openDatabase()
    const answers: Promise<string>[] = []
    const ask = async (): Promise<string> => {
      const [settled] = await Promise.allSettled([world.worker.request({ kind: 'stats' })])
      return settled.status === 'fulfilled' ? 'answered' : settled.reason.code
    }
    await world.db.transaction().execute(async (transaction) => {
      for (let count = 0; count < 66_000; count += 1) answers.push(ask())
      await world.insert(1, transaction)
    })
    const refused = (await Promise.all(answers)).filter((answer) => answer === 'unavailable')
    expect(refused).toHaveLength(66_000 - 65_536)
    expect(await world.values()).toEqual([1])
  })

  it('names the columns that a conflict is about', async () => {
    await using world = await openDatabase()
    await world.insert(1)
    await expect(world.insert(1)).rejects.toMatchObject({
      code: 'conflict',
      details: { table: 'numbers', columns: ['value'] },
    })
  })
})
