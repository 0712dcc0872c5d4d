import { chmod, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { addFleet, auditRow, sealedRows, principalRow } from '../conformance/world.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import { openTemporaryStore, temporaryFolder } from './temporary-store.ts'

/** Reads or breaks a database behind the store's back. */
function inDatabase<Result>(file: string, work: (database: DatabaseSync) => Result): Result {
  using database = new DatabaseSync(file)
  return work(database)
}

describe('the file', () => {
  it('and its companions are readable by their owner only, in a folder that is too', async () => {
    await using world = await openTemporaryStore()
    await addFleet(world.store)
    const folder = dirname(world.file)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const names = (await readdir(folder)).sort()
    expect(names).toEqual(['relay.db', 'relay.db-shm', 'relay.db-wal', 'relay.db.key'])
    for (const name of names) expect((await stat(`${folder}/${name}`)).mode & 0o777).toBe(0o600)
  })

  it('gets its mode back when it was opened to others', async () => {
    await using world = await openTemporaryStore()
    await world.store.close()
    await chmod(world.file, 0o644)
    await world.reopen()
    expect((await stat(world.file)).mode & 0o777).toBe(0o600)
  })

  it('is refused when it is no database', async () => {
    await using world = await openTemporaryStore()
    await world.store.close()
    await writeFile(world.file, 'This is a letter, and a long one, but it is no database. '.repeat(99))
    await expect(world.reopen()).rejects.toMatchObject({ code: 'config', message: expect.stringContaining(world.file) })
  })

  it('is refused when its folder cannot be made', async () => {
    await using folder = await temporaryFolder()
    const blocker = dirname(folder.file)
    await writeFile(blocker, '')
    await expect(openSqliteStore({ file: folder.file })).rejects.toMatchObject({ code: 'config' })
  })
})

describe('the schema', () => {
  it('is refused when a newer relay made it, and is left as it is', async () => {
    await using world = await openTemporaryStore()
    await world.store.close()
    const migrations = () =>
      inDatabase(world.file, (database) => database.prepare('select name from kysely_migration').all())
    const known = migrations()
    inDatabase(world.file, (database) =>
      database.exec(`insert into kysely_migration (name, timestamp) values ('9999-future', '2099')`),
    )
    await expect(world.reopen()).rejects.toMatchObject({
      code: 'config',
      details: { unknownMigrations: ['9999-future'] },
    })
    expect(migrations()).toEqual([...known, { name: '9999-future' }])
  })

  it('is made once when several relays start on a new file at the same moment', async () => {
    await using folder = await temporaryFolder()
    const { file } = folder
    const stores = await Promise.all([1, 2, 3, 4].map(() => openSqliteStore({ file })))
    const fleets = await Promise.all(stores.map(addFleet))
    for (const { fleet } of fleets) expect(await stores[0]?.fleets.get(fleet.id)).toEqual(fleet)
    for (const store of stores) await store.close()
  })

  it('is not there at all when a migration fails', async () => {
    await using world = await openTemporaryStore()
    await world.store.close()
    await writeFile(world.file, '')
    inDatabase(world.file, (database) => database.exec('create table audit (stranger text)'))
    await expect(world.reopen()).rejects.toThrow('audit')
    const tables = inDatabase(world.file, (database) =>
      database.prepare(`select name from sqlite_schema where type = 'table'`).all(),
    )
    expect(tables).toEqual([{ name: 'audit' }])
  })

  it('lets nobody change or remove a row of the audit log', async () => {
    await using world = await openTemporaryStore()
    await world.store.audit.append(sealedRows([auditRow('fleet_1')]))
    inDatabase(world.file, (database) => {
      expect(() => database.exec(`update audit set body = '{}'`)).toThrow('append-only')
      expect(() => database.exec('delete from audit')).toThrow('append-only')
    })
  })
})

describe('commits', () => {
  it('are shared by statements that arrive together', async () => {
    await using world = await openTemporaryStore()
    const before = await world.store.stats()
    const rows = Array.from({ length: 1000 }, () => auditRow('fleet_1'))
    await Promise.all(rows.map((row) => world.store.audit.append(sealedRows([row]))))
    const after = await world.store.stats()
    expect(after.groupedStatements - before.groupedStatements).toBe(1000)
    expect(after.groupCommits - before.groupCommits).toBeLessThan(20)
    expect(await world.store.audit.list('fleet_1', { limit: 2000 })).toHaveLength(1000)
  })

  it('are not spoiled by a neighbour that fails', async () => {
    await using world = await openTemporaryStore()
    const { fleet, owner } = await addFleet(world.store)
    const before = await world.store.stats()
    const results = await Promise.allSettled([
      world.store.audit.append(sealedRows([auditRow(fleet.id)])),
      world.store.principals.create(owner),
      world.store.principals.create(principalRow('fleet_unknown')),
      world.store.audit.append(sealedRows([auditRow(fleet.id)])),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect((await world.store.stats()).groupCommits - before.groupCommits).toBe(1)
    expect(await world.store.audit.list(fleet.id, { limit: 9 })).toHaveLength(2)
  })

  it('of two stores on one file wait for each other', async () => {
    await using world = await openTemporaryStore()
    await using second = await openSqliteStore({ file: world.file })
    const writes = Array.from({ length: 100 }, async (_, index) => {
      const store = index % 2 === 0 ? world.store : second
      await store.audit.append(sealedRows([auditRow('fleet_1')]))
      await addFleet(store)
    })
    await Promise.all(writes)
    expect(await second.audit.list('fleet_1', { limit: 200 })).toHaveLength(100)
  })
})
