import { createPublicKey, hash, verify } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { type AuditVerification, AuditVerifier } from '@cmdop/protocol'
import { describe, expect, test, vi } from 'vitest'
import { proposeRelayKey } from '../bootstrap.ts'
import type { AuditCheckpointRow } from '../store/audit-store.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import type { Store } from '../store/store.ts'
import { AuditTrail } from './audit-trail.ts'
import { Checkpoints, lastOf } from './checkpoints.ts'
import { exportLog } from './export.ts'
import { pruneFleet } from './pruning.ts'
import { StatementSigner } from './statement-signer.ts'

const key = proposeRelayKey()
const fleetId = 'flt_one'
const entry = { fleetId, principalId: 'prn_one', action: 'exec' }

const rethrow = (error: unknown): void => {
  throw error
}

/** What a relay writes with, on a store. */
function writeOn(store: Store, name = 'main', failed = rethrow) {
  const made: AuditCheckpointRow[] = []
  const trail = new AuditTrail({ store: store.audit, name, relayInstance: 'run_test' })
  const signer = new StatementSigner(key)
  const checkpoints = new Checkpoints({ store, trail, signer, made: (each) => made.push(each), failed })
  const write = async (rows: number) => {
    await Promise.all(Array.from({ length: rows }, () => trail.intent(entry).written))
  }
  return { store, trail, signer, checkpoints, made, write }
}

async function verified(log: Parameters<typeof exportLog>[0]): Promise<AuditVerification> {
  const { verifier, lines } = verifying(log)
  for await (const text of lines) verifier.push(Buffer.from(text))
  return verifier.end()
}

function verifying(log: Parameters<typeof exportLog>[0]) {
  const publicKey = createPublicKey(key.publicKey)
  const verifier = new AuditVerifier({
    sha256: (bytes) => hash('sha256', bytes),
    isSigned: (text, signature) => verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64url')),
  })
  return { verifier, lines: exportLog(log, fleetId) }
}

describe('checkpoints', () => {
  test('name the heads of every chain, each the one before, and there is none without news', async () => {
    await using world = await openTemporaryStore()
    const [one, other] = [writeOn(world.store), writeOn(world.store, 'second')]
    await one.write(3)
    const first = await one.checkpoints.make(fleetId)
    expect(await one.checkpoints.make(fleetId)).toEqual(first)
    await other.write(2)
    const second = await other.checkpoints.make(fleetId)
    expect(JSON.parse(second.body)).toMatchObject({
      number: 2,
      previous: lastOf(first).hash,
      rows: 7,
      heads: [
        { chain: 'main', sequence: 4 },
        { chain: 'second', sequence: 3 },
      ],
    })
    expect(await verified(one)).toMatchObject({ ok: true, rows: 7, checkpoints: 2 })
    for (const { checkpoints } of [one, other]) await checkpoints.close()
  })

  test('are made every thousand rows, and when the relay stops', async () => {
    await using world = await openTemporaryStore()
    const log = writeOn(world.store)
    await log.write(2500)
    await expect.poll(() => log.made.length).toBeGreaterThanOrEqual(1)
    await log.trail.close()
    await log.checkpoints.close()
    const heads = lastOf(log.made.at(-1) ?? { body: '' }).heads
    expect(heads).toMatchObject([{ chain: 'main', sequence: 2502 }])
    expect(await verified(log)).toMatchObject({ ok: true, rows: 2502 })
  })

  test('of several relays at the same moment have one number each', async () => {
    await using world = await openTemporaryStore()
    const logs = ['a', 'b', 'c'].map((name) => writeOn(world.store, name))
    const [first] = logs
    for (let round = 0; round < 5; round += 1)
      await Promise.all(
        logs.map(async ({ write, checkpoints }) => {
          await write(3)
          await checkpoints.make(fleetId)
        }),
      )
    if (first !== undefined) expect(await verified(first)).toMatchObject({ ok: true, rows: 3 * 16 })
    for (const { checkpoints } of logs) await checkpoints.close()
  })
})

describe('a checkpoint that fails', () => {
  const fail = (file: string, fleet: string) => {
    const database = new DatabaseSync(file)
    database.exec(`create trigger full before insert on audit_checkpoints when new.fleet_id = '${fleet}'
      begin select raise(abort, 'disk is full'); end`)
    const repair = () => {
      database.exec('drop trigger full')
      database.close()
    }
    return { [Symbol.dispose]: repair }
  }

  test('is tried again', async () => {
    await using world = await openTemporaryStore()
    const failures: unknown[] = []
    const log = writeOn(world.store, 'main', (error) => void failures.push(error))
    {
      using broken = new DisposableStack()
      broken.use(fail(world.file, fleetId))
      await log.write(1000)
      await expect.poll(() => failures.length).toBe(1)
    }
    await log.checkpoints.close()
    expect(log.made.map((each) => lastOf(each).heads)).toMatchObject([[{ chain: 'main', sequence: 1001 }]])
  })

  test('holds up neither those of other fleets nor the end of the relay', async () => {
    await using world = await openTemporaryStore()
    const failures: unknown[] = []
    const log = writeOn(world.store, 'main', (error) => void failures.push(error))
    using broken = new DisposableStack()
    broken.use(fail(world.file, 'flt_broken'))
    await log.trail.intent({ ...entry, fleetId: 'flt_broken' }).written
    await log.write(1)
    const failing = expect(log.checkpoints.make('flt_broken')).rejects.toMatchObject({ code: 'server' })
    await log.checkpoints.close()
    await failing
    expect(failures).toHaveLength(1)
    expect(log.made.map((each) => each.fleetId)).toEqual([fleetId])
  })
})

describe('pruning', () => {
  test('leaves what can be verified from its anchor on, and goes on from there', async () => {
    await using world = await openTemporaryStore()
    const log = writeOn(world.store)
    await log.write(10)
    const { number } = await log.checkpoints.make(fleetId)
    const before = new Date(Date.now() + 1).toISOString()
    await expect.poll(() => new Date().toISOString() > before).toBe(true)
    await log.write(5)
    await log.checkpoints.make(fleetId)
    await pruneFleet(log, { fleetId, before })
    const sealed = await world.store.audit.sealed({ fleetId, chain: 'main' }, { after: 0, until: 99, limit: 99 })
    expect(sealed[0]?.sequence).toBe(12)
    expect(await verified(log)).toMatchObject({ ok: true, begins: number, rows: 7 })
    // Everything that is left, and then rows again.
    await pruneFleet(log, { fleetId, before: '9999-01-01' })
    await log.write(1)
    expect(await verified(log)).toMatchObject({ ok: true, checkpoints: 1 })
    await log.checkpoints.close()
  })

  test('does nothing before there is an old checkpoint', async () => {
    await using world = await openTemporaryStore()
    const log = writeOn(world.store)
    await log.write(3)
    await log.checkpoints.make(fleetId)
    await pruneFleet(log, { fleetId, before: '2000-01-01' })
    expect(await verified(log)).toMatchObject({ ok: true, begins: 0, rows: 4 })
    await log.checkpoints.close()
  })

  test('waits for an export that has begun, on whichever relay, and goes on after it', async () => {
    await using world = await openTemporaryStore()
    await using second = await openSqliteStore({ file: world.file })
    const [log, other] = [writeOn(world.store), writeOn(second, 'second')]
    await log.write(600)
    await log.checkpoints.make(fleetId)
    await log.write(600)
    const { verifier, lines } = verifying(log)
    const first = await lines.next()
    verifier.push(Buffer.from(first.value ?? ''))
    // Everything may go, and goes once the export is over.
    expect(await pruneFleet(other, { fleetId, before: '9999-01-01' })).toBe(false)
    for await (const text of lines) verifier.push(Buffer.from(text))
    expect(verifier.end()).toMatchObject({ ok: true, begins: 0, rows: 1201 })
    expect(await pruneFleet(other, { fleetId, before: '9999-01-01' })).toBe(true)
    expect(await verified(log)).toMatchObject({ ok: true, begins: expect.any(Number) })
    const place = { fleetId, chain: 'main' }
    expect(await world.store.audit.sealed(place, { after: 0, until: 1201, limit: 9 })).toEqual([])
    for (const { checkpoints } of [log, other]) await checkpoints.close()
  })

  test('does not wait for an export that nobody reads on', async () => {
    await using world = await openTemporaryStore()
    const log = writeOn(world.store)
    await log.write(10)
    await log.checkpoints.make(fleetId)
    const { lines } = verifying(log)
    await lines.next()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 })
    try {
      expect(await pruneFleet(log, { fleetId, before: '9999-01-01' })).toBe(true)
      await expect(lines.next()).rejects.toMatchObject({ code: 'unavailable' })
    } finally {
      vi.useRealTimers()
    }
    await log.checkpoints.close()
  })
})
