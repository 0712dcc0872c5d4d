import { DatabaseSync } from 'node:sqlite'
import { parseAuditBody } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { AuditTrail } from './audit-trail.ts'
import { headOf } from './seal.ts'

const entry = { fleetId: 'flt_one', principalId: 'prn_one', action: 'exec' }

function trailOn(store: Store, name = 'main', formerNames: string[] = []): AuditTrail {
  return new AuditTrail({ store: store.audit, name, formerNames, relayInstance: 'run_test' })
}

/** The rows of each chain, each checked against the one before it. */
async function chainsOf(store: Store): Promise<Record<string, string[]>> {
  const chains: Record<string, string[]> = {}
  for (const place of await store.audit.chains('flt_one')) {
    let previous = '0'.repeat(64)
    const sealed = await store.audit.sealed(place, { after: 0, until: 1_000_000, limit: 1_000_000 })
    chains[place.chain] = sealed.map((each, index) => {
      const { row, link } = parseAuditBody(each.body)
      expect(link).toEqual({ chain: place.chain, sequence: index + 1, previous })
      previous = headOf(each).hash
      return `${row.kind} ${row.action}${row.code === null ? '' : ` ${row.code}`}`
    })
  }
  return chains
}

describe('the trail', () => {
  test('writes what comes at once in one commit, and what comes meanwhile in the next', async () => {
    await using world = await openTemporaryStore()
    const trail = trailOn(world.store)
    await trail.intent(entry).written
    const before = (await world.store.stats()).groupCommits
    await Promise.all(Array.from({ length: 200 }, () => trail.intent(entry).written))
    expect((await world.store.stats()).groupCommits - before).toBeLessThanOrEqual(4)
    expect((await chainsOf(world.store))['main']).toHaveLength(202)
  })

  test('begins with the start of the relay, and ends with its stop', async () => {
    await using world = await openTemporaryStore()
    const trail = trailOn(world.store)
    const intent = trail.intent(entry)
    await intent.written
    await trail.deny({ ...entry, action: 'file.read', code: 'permission' })
    await trail.outcome(intent, { code: null, exitCode: 0 })
    await trail.close()
    expect(await chainsOf(world.store)).toEqual({
      main: ['intent relay.start', 'intent exec', 'intent file.read permission', 'outcome exec', 'outcome relay.start'],
    })
  })

  test('rejects every row of a batch that cannot be written, and goes on without a gap', async () => {
    await using world = await openTemporaryStore()
    const trail = trailOn(world.store)
    await trail.intent(entry).written
    const database = new DatabaseSync(world.file)
    database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
    const failed = await Promise.allSettled([1, 2, 3].map(() => trail.intent(entry).written))
    for (const each of failed) expect(each).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
    database.exec('drop trigger full')
    database.close()
    await trail.intent(entry).written
    expect(await chainsOf(world.store)).toEqual({ main: ['intent relay.start', 'intent exec', 'intent exec'] })
  })

  test('is unavailable when the store is closed', async () => {
    await using world = await openTemporaryStore()
    const trail = trailOn(world.store)
    await world.store.close()
    await expect(trail.intent(entry).written).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('goes on with a chain of its own when another writer takes the next place', async () => {
    await using world = await openTemporaryStore()
    const [one, other] = [trailOn(world.store), trailOn(world.store)]
    for (const trail of [one, other]) await trail.intent(entry).written
    await Promise.all([one, other].flatMap((trail) => Array.from({ length: 9 }, () => trail.intent(entry).written)))
    const chains = await chainsOf(world.store)
    expect(Object.keys(chains)).toEqual(['main', expect.stringMatching(/^main~[0-9a-f]{12}$/)])
    const rows = Object.values(chains).flat()
    expect(rows.filter((row) => row === 'intent exec')).toHaveLength(20)
  })
})

describe('a relay that was killed', () => {
  test('says at its next start of every intent without an outcome that it is unknown, once', async () => {
    await using world = await openTemporaryStore()
    const killed = trailOn(world.store)
    const [done, open] = [killed.intent(entry), killed.intent({ ...entry, action: 'file.write' })]
    await Promise.all([done.written, open.written, killed.deny({ ...entry, code: 'permission' })])
    await killed.outcome(done)
    for (const times of [1, 2]) {
      await trailOn(world.store).start()
      const rows = (await chainsOf(world.store))['main'] ?? []
      expect(rows.slice(0, 7)).toEqual([
        'intent relay.start',
        'intent exec',
        'intent file.write',
        'intent exec permission',
        'outcome exec',
        'outcome relay.start unknown',
        'outcome file.write unknown',
      ])
      expect(rows.filter((row) => row === 'outcome relay.start unknown')).toHaveLength(times)
    }
    const [unknown] = await world.store.audit.list('flt_one', { limit: 9, action: 'file.write', kind: 'outcome' })
    expect(unknown?.row).toMatchObject({ intentId: open.id, code: 'unknown', principalId: 'prn_one' })
  })

  test('says it too when an outcome could not be written and the relay stopped in order', async () => {
    await using world = await openTemporaryStore()
    const trail = trailOn(world.store)
    const database = new DatabaseSync(world.file)
    const done = trail.around(entry, async () => {
      database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
      return 'done'
    })
    expect(await done).toBe('done')
    database.exec('drop trigger full')
    database.close()
    await trail.close()
    for (const _ of [1, 2]) {
      const next = trailOn(world.store)
      await next.start()
      await next.close()
    }
    const stopped = ['intent relay.start', 'outcome relay.start']
    const unknown = ['outcome relay.start unknown', 'outcome exec unknown']
    expect(await chainsOf(world.store)).toEqual({
      main: ['intent relay.start', 'intent exec', ...unknown, ...stopped, ...stopped],
    })
  })

  test('settles the chains of a name that it had before, and only of that', async () => {
    await using world = await openTemporaryStore()
    for (const name of ['old', 'older', 'other']) await trailOn(world.store, name).intent(entry).written
    for (const _ of [1, 2]) {
      const renamed = trailOn(world.store, 'new', ['old'])
      await renamed.start()
      await renamed.close()
    }
    const open = ['intent relay.start', 'intent exec']
    expect(await chainsOf(world.store)).toEqual({
      new: ['intent relay.start', 'outcome relay.start', 'intent relay.start', 'outcome relay.start'],
      old: [...open, 'outcome relay.start unknown', 'outcome exec unknown', 'outcome chain.end'],
      older: open,
      other: open,
    })
  })

  test('also settles the chains that it went on with, and looks at them once', async () => {
    await using world = await openTemporaryStore()
    const [one, other] = [trailOn(world.store), trailOn(world.store)]
    await one.intent(entry).written
    await other.intent(entry).written
    await one.intent({ ...entry, action: 'file.write' }).written
    for (const _ of [1, 2]) await trailOn(world.store).start()
    const { main, ...side } = await chainsOf(world.store)
    expect(Object.values(side)).toEqual([['intent file.write', 'outcome file.write unknown', 'outcome chain.end']])
    expect(main?.filter((row) => row === 'outcome exec unknown')).toHaveLength(2)
  })
})
