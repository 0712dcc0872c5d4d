import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '@cmdop/relay'
import { codeOf } from './code-of.ts'
import { addFleet, addPrincipalKey, addSilentMachine } from './fleets.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { unresolvedMachine } from './unresolved.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let store: Store
let fleetId = ''
beforeAll(async () => {
  world = await startWorld()
  store = await world.openStore()
  fleetId = (await world.client.me()).fleetId
})
afterAll(() => world[Symbol.asyncDispose]())

describe('a key', () => {
  test('says who it is', async () => {
    expect(await world.client.me()).toMatchObject({ kind: 'human', name: 'owner', role: 'owner' })
  })

  test('that is wrong, of no known form, or of another kind is `auth`, on both sides of the relay', async () => {
    const { firstKey } = world.relay
    const changed = `${firstKey.slice(0, -1)}${firstKey.endsWith('A') ? 'B' : 'A'}`
    const { rawToken: enrollment } = await world.client.enrollmentTokens.issue()
    for (const token of [changed, 'x', `cmdop_human_${'0'.repeat(20)}_${'A'.repeat(43)}`, enrollment]) {
      const client = world.connect({ token })
      await expect(client.me()).rejects.toMatchObject({
        code: 'auth',
        retryable: false,
        requestId: expect.stringMatching(/^req_/),
      })
      await expect(unresolvedMachine(world, { token }).exec('true')).rejects.toMatchObject({
        code: 'auth',
        retryable: false,
      })
    }
  })

  test('that is issued works, is shown once, and tells when it was used', async () => {
    const issued = await world.client.keys.issue({ name: 'laptop', kind: 'human', role: 'member', expiresInDays: 1 })
    const client = world.connect({ token: issued.rawToken })
    expect(await client.me()).toMatchObject({ name: 'owner', role: 'member', fleetId })
    const listed = await waitFor('the use is noted', async () => {
      const { items } = await world.client.keys.list()
      return items.find(({ id, lastUsedAt }) => id === issued.id && lastUsedAt !== null)
    })
    expect(listed).toMatchObject({ name: 'laptop', role: 'member', revokedAt: null, expiresAt: issued.expiresAt })
    expect(JSON.stringify(listed)).not.toContain(issued.rawToken.slice(`cmdop_human_${issued.id}_`.length))
    expect(issued.rawToken).toMatch(new RegExp(`^cmdop_human_${issued.id}_[\\w-]{20,}$`))
  })

  test('cannot issue one that may do more', async () => {
    const { rawToken: token } = await world.client.keys.issue({ name: 'admin', role: 'admin' })
    const admin = world.connect({ token })
    await expect(admin.keys.issue({ name: 'more', role: 'owner' })).rejects.toMatchObject({ code: 'permission' })
    await expect(admin.keys.issue({ name: 'as much', role: 'admin' })).resolves.toMatchObject({ name: 'as much' })
  })

  test('of an AI operator issues only keys like itself, which act for the person behind it', async () => {
    const { rawToken: token, id } = await world.client.keys.issue({
      name: 'operator',
      kind: 'ai',
      role: 'admin',
      expiresInDays: 1,
    })
    const operator = world.connect({ token })
    for (const kind of ['human', 'service'] as const)
      await expect(operator.keys.issue({ name: 'me', kind })).rejects.toMatchObject({ code: 'permission' })
    const longer = await operator.keys.issue({ name: 'helper', kind: 'ai', expiresInDays: 30 })
    const { expiresAt } = (await Array.fromAsync(world.client.keys.iter())).find((key) => key.id === id) ?? {}
    expect(longer.expiresAt).toBe(expiresAt)
    const { principalId: owner } = await world.client.me()
    const { principalId: helper } = await world.connect({ token: longer.rawToken }).me()
    expect(await store.principals.get(helper)).toMatchObject({ kind: 'ai', actsForId: owner })
  })

  test('of an owner is revoked by owners only, and the last one by nobody', async () => {
    const keys = await Array.fromAsync(world.client.keys.iter())
    const own = keys.find(({ name }) => name === 'first owner key')?.id ?? ''
    const { rawToken: token } = await world.client.keys.issue({ name: 'admin', role: 'admin' })
    await expect(world.connect({ token }).keys.revoke(own)).rejects.toMatchObject({ code: 'permission' })
    await expect(world.client.keys.revoke(own)).rejects.toMatchObject({ code: 'conflict' })
    const second = await world.client.keys.issue({ name: 'second owner', kind: 'human', role: 'owner' })
    await expect(world.client.keys.revoke(second.id)).resolves.toBeUndefined()
  })

  test('of an owner is left when the last two are revoked at once', async () => {
    await using other = await startWorld({ machines: 0 })
    const { id: second, rawToken: token } = await other.client.keys.issue({
      name: 'second',
      kind: 'human',
      role: 'owner',
    })
    const first = other.relay.firstKey.split('_')[2] ?? ''
    const [one, two] = [other.client, other.connect({ token })]
    const ended = await Promise.all([codeOf(() => one.keys.revoke(second)), codeOf(() => two.keys.revoke(first))])
    expect(ended.filter((code) => code === 'ok')).toHaveLength(1)
    expect((await Promise.all([one, two].map((client) => codeOf(() => client.me())))).sort()).toEqual(['auth', 'ok'])
  })

  test('that is revoked ends its connection and its commands within a second', async () => {
    const mark = newMark()
    const issued = await world.client.keys.issue({ name: 'short', role: 'member' })
    const client = world.connect({ token: issued.rawToken })
    const handle = await client.machine(world.machine.id)
    const running = handle.exec(['sleep', '1000'], { env: { MARK: mark } }).then(undefined, (caught) => caught)
    await whenRunning(mark)
    await world.client.keys.revoke(issued.id)
    const revokedAt = performance.now()
    expect(await running).toMatchObject({ code: 'auth', message: 'The API key was revoked; ask for a new one.' })
    expect(performance.now() - revokedAt).toBeLessThan(1000)
    await whenGone(mark, 2000)
    await expect(handle.exec('true')).rejects.toMatchObject({ code: 'auth' })
    await expect(client.me()).rejects.toMatchObject({ code: 'auth' })
    await expect(world.client.keys.revoke('no-such-key')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('that has expired is `auth`, also on a connection that was made before', async () => {
    const { raw: dead } = await addPrincipalKey(store, fleetId, { expiresInMs: -1 })
    await expect(world.connect({ token: dead }).me()).rejects.toMatchObject({ code: 'auth' })
    await expect(unresolvedMachine(world, { token: dead }).exec('true')).rejects.toMatchObject({ code: 'auth' })

    const mark = newMark()
    const { raw: dying } = await addPrincipalKey(store, fleetId, { expiresInMs: 2500 })
    const handle = unresolvedMachine(world, { token: dying })
    const running = handle.exec(['sleep', '1000'], { env: { MARK: mark } }).then(undefined, (caught) => caught)
    await whenRunning(mark)
    expect(await running).toMatchObject({ code: 'auth', message: 'The API key has expired; ask for a new one.' })
    await whenGone(mark, 2000)
    await expect(handle.exec('true')).rejects.toMatchObject({ code: 'auth' })
  })
})

describe('a reference', () => {
  beforeAll(async () => {
    const hosts = ['web-1', 'web-2', 'db']
    for (const host of hosts)
      await addSilentMachine(store, fleetId, { name: `prod-${host}`, hostname: `${host}.example` })
    await addSilentMachine(store, fleetId, { name: 'db.example', hostname: 'elsewhere.example' })
  })

  test('is an id, hostname, name or unique prefix, in this order', async () => {
    const named = async (reference: string) => (await world.client.machine(reference)).name
    expect(await named(world.machine.id)).toBe('machine-0')
    expect(await named('machine-0')).toBe('machine-0')
    expect(await named('prod-web-1')).toBe('prod-web-1')
    expect(await named('web-2.example')).toBe('prod-web-2')
    // A hostname goes before a name.
    expect(await named('db.example')).toBe('prod-db')
    expect(await named('prod-d')).toBe('prod-db')
    expect(await named('elsew')).toBe('db.example')
    expect(await named(world.machine.id.slice(0, 12))).toBe('machine-0')
  })

  test('that fits several is `ambiguous` and names the candidates', async () => {
    const error = await world.client.machine('prod-web').then(undefined, (caught) => caught)
    expect(error).toMatchObject({ code: 'ambiguous', status: 409, retryable: false })
    expect(error.details.candidates.map(({ name }: { name: string }) => name).sort()).toEqual([
      'prod-web-1',
      'prod-web-2',
    ])
    expect(error.message).toContain('prod-web-1')
  })

  test('that fits none is `not_found`, and no part of a pattern is taken for one', async () => {
    for (const reference of ['nobody', '%', '_achine-0', 'm', "' OR 1=1 --", '../me']) {
      await expect(world.client.machine(reference)).rejects.toMatchObject({ code: 'not_found' })
    }
  })
})

describe('what cannot be reached', () => {
  test('is `unavailable` at once for a machine that has been away for long, and says since when', async () => {
    const createdAt = new Date(Date.now() - 3_600_000).toISOString()
    const id = await addSilentMachine(store, fleetId, { name: 'asleep', createdAt })
    const startedAt = performance.now()
    await expect((await world.client.machine(id)).exec('true')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      details: { machineId: id, lastSeenAt: null },
    })
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(await world.client.machines.get(id)).toMatchObject({ presence: 'offline', lastSeenAt: null })
  })

  test('is waited for when it was there a moment ago, and can be cancelled meanwhile without running later', async () => {
    const mark = newMark()
    const late = await world.addMachine('late')
    const handle = await world.client.machine(late.id)
    await late.close()
    await waitFor('it is gone', async () => (await world.client.machines.get(late.id)).presence !== 'online')
    const stop = new AbortController()
    const cancelled = handle
      .exec(['sleep', '1000'], { signal: stop.signal, env: { MARK: mark } })
      .then(undefined, (caught) => caught)
    const waiting = handle.exec('echo came back')
    const rows = () => store.audit.list(fleetId, { limit: 10, machineId: late.id })
    await waitFor('both are decided', async () => (await rows()).length >= 2)
    stop.abort()
    expect(await cancelled).toMatchObject({ code: 'cancelled' })
    await late.restart()
    expect(await waiting).toMatchObject({ stdout: 'came back\n' })
    await whenGone(mark, 1000)
    const outcomes = await waitFor('both outcomes are written', async () => {
      const codes = (await rows()).filter(({ row }) => row.kind === 'outcome').map(({ row }) => row.code)
      return codes.length >= 2 && codes
    })
    expect(new Set(outcomes)).toEqual(new Set(['cancelled', null]))
  })

  test('is `connection` at once when there is no relay', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    const client = world.connect({ baseUrl: `http://127.0.0.1:${port}` })
    const startedAt = performance.now()
    await expect(client.me()).rejects.toMatchObject({ code: 'connection', retryable: true })
    const handle = unresolvedMachine(world, { baseUrl: client.baseUrl })
    await expect(handle.exec('true')).rejects.toMatchObject({ code: 'connection' })
    await expect(handle.facts()).rejects.toMatchObject({ code: 'connection', retryable: true })
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})

describe('a fleet', () => {
  test('does not see the machines of another one', async () => {
    const other = await addFleet(store)
    const client = world.connect({ token: other.raw })
    expect((await client.machines.list()).items).toEqual([])
    await expect(client.machine(world.machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.machine(world.machine.name)).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.machines.get(world.machine.id)).rejects.toMatchObject({ code: 'not_found' })
    const handle = unresolvedMachine(world, { token: other.raw })
    for (const act of [() => handle.exec('true'), () => handle.facts(), () => handle.files.list('/')]) {
      await expect(act()).rejects.toMatchObject({ code: 'not_found' })
    }
    const rows = await store.audit.list(other.fleetId, { limit: 10, decision: 'deny' })
    expect(rows.map(({ row }) => [row.decision, row.code, row.machineId])).toEqual(
      Array.from({ length: 4 }, () => ['deny', 'not_found', null]),
    )
  })

  test('does not see the keys of another one', async () => {
    const other = await addFleet(store)
    const spy = world.connect({ token: other.raw, fleetId })
    await expect(spy.keys.list()).rejects.toMatchObject({ code: 'not_found' })
    await expect(spy.keys.issue({ name: 'mine' })).rejects.toMatchObject({ code: 'not_found' })
    const client = world.connect({ token: other.raw })
    const [first] = (await world.client.keys.list()).items
    await expect(client.keys.revoke(first?.id ?? '')).rejects.toMatchObject({ code: 'not_found' })
    expect((await client.keys.list()).items.map(({ id }) => id)).toEqual([other.id])
  })
})
