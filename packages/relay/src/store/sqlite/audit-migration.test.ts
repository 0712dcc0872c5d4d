import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { hash } from 'node:crypto'
import { parseAuditBody } from '@cmdop/protocol'
import { CamelCasePlugin, Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { expect, test } from 'vitest'
import { createFirstTables } from '../sql/migration-0001.ts'
import { createRecordings } from '../sql/migration-0002.ts'
import { createRuns } from '../sql/migration-0003.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import { SqliteWorkerDialect, SqliteWorkerDriver } from './sqlite-dialect.ts'
import { sqliteEngine } from './sqlite-engine.ts'
import { SqliteWorker } from './sqlite-worker-client.ts'
import { temporaryFolder } from './temporary-store.ts'

/** A database as the relay before chains left it, with rows of two fleets. */
async function makeOldDatabase(file: string, rows: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  new DatabaseSync(file).close()
  const driver = new SqliteWorkerDriver(
    await SqliteWorker.start({ file, busyTimeoutMs: 1000, transactionIdleMs: 10_000 }),
  )
  const db = new Kysely<unknown>({ dialect: new SqliteWorkerDialect(driver), plugins: [new CamelCasePlugin()] })
  const known = {
    '0001-first-tables': { up: (database: Kysely<unknown>) => createFirstTables(database, sqliteEngine) },
    '0002-recordings': { up: createRecordings },
    '0003-runs': { up: (database: Kysely<unknown>) => createRuns(database, sqliteEngine) },
  }
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => known } }).migrateToLatest()
  if (error !== undefined) throw error
  await driver.destroy()
  using database = new DatabaseSync(file)
  const insert = database.prepare(`insert into audit
    (id, kind, fleet_id, intent_id, at, principal_id, action, machine_id, call_id, digest, decision, code, exit_code,
     duration_ms, request_id)
    values (?, 'outcome', ?, 'aud_intent', '2026-01-01T00:00:00.000Z', 'prn_one', 'exec', 'mch_one', ?, 'ab', 'allow', null,
     3, 12.5, null)`)
  for (let count = 0; count < rows; count += 1) insert.run(`aud_${count}`, `flt_${count % 2}`, `call_${count}`)
}

test('rows of a relay without chains become a chain of each fleet, in their order and with all they said', async () => {
  await using folder = await temporaryFolder()
  await makeOldDatabase(folder.file, 1201)
  await using store = await openSqliteStore({ file: folder.file })
  for (const [fleetId, count] of [
    ['flt_0', 601],
    ['flt_1', 600],
  ] as const) {
    expect(await store.audit.chains(fleetId)).toEqual([{ fleetId, chain: 'imported' }])
    const sealed = await store.audit.sealed({ fleetId, chain: 'imported' }, { after: 0, until: 9999, limit: 9999 })
    expect(sealed).toHaveLength(count)
    let previous = '0'.repeat(64)
    for (const [index, { body, sequence }] of sealed.entries()) {
      expect(parseAuditBody(body).link).toEqual({ chain: 'imported', sequence: index + 1, previous })
      expect(sequence).toBe(index + 1)
      previous = hash('sha256', body)
    }
  }
  expect(await store.audit.get('aud_1200')).toMatchObject({
    kind: 'outcome',
    fleetId: 'flt_0',
    intentId: 'aud_intent',
    at: '2026-01-01T00:00:00.000Z',
    principalId: 'prn_one',
    action: 'exec',
    machineId: 'mch_one',
    callId: 'call_1200',
    digest: 'ab',
    decision: 'allow',
    code: null,
    exitCode: 3,
    durationMs: 12.5,
  })
})
