import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AuditLog } from '@cmdop/core'
import { CHANNEL_SUBPROTOCOL } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { addFleet, addPrincipalKey, addSilentMachine } from './fleets.ts'
import { invitePerson } from './people.ts'
import { type ImpostorAsk, startImpostor } from './impostor.ts'
import { rawChannels } from './unresolved.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let fleetId = ''
beforeAll(async () => {
  world = await startWorld()
  fleetId = (await world.client.me()).fleetId
})
afterAll(() => world[Symbol.asyncDispose]())

const denied = async (query: { keyId?: string; callId?: string } = {}): Promise<AuditLog[]> =>
  (await world.client.audit.getLogs({ ...query, decision: 'deny', order: 'oldest', limit: 1000 })).items

async function statusOf(path: string, token: string | undefined, body?: object): Promise<number> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const answer = await fetch(`${world.relay.url}${path}`, { headers, ...init })
  await answer.body?.cancel()
  return answer.status
}

const run = (machineId: string) => ({
  runId: randomUUID(),
  machineId,
  agentType: 'terminal',
  model: 'scripted:scripted',
  title: 'Look',
  entry: { v: 1, type: 'run_started' },
})

describe('a request that is refused is a row', () => {
  test('where the role does not allow it: lists, single objects and metrics alike', async () => {
    const { rawToken: token, id: keyId } = await world.client.keys.issue({ name: 'viewer', role: 'viewer' })
    const paths = {
      [`/api/fleets/${fleetId}/api-keys`]: 'key.list',
      [`/api/fleets/${fleetId}/members`]: 'member.list',
      '/api/webhooks': 'fleet.configure',
      '/api/webhooks/whk_1/deliveries': 'fleet.configure',
      '/api/runs': 'run.read',
      [`/api/runs/${randomUUID()}`]: 'run.read',
      [`/api/runs/${randomUUID()}/entries`]: 'run.read',
      '/api/recordings': 'recording.read',
    }
    for (const path of Object.keys(paths)) expect(await statusOf(path, token), path).toBe(403)
    expect(await statusOf('/api/runs', token, run(world.machine.id))).toBe(403)
    expect(
      await statusOf(`/api/runs/${randomUUID()}/entries`, token, { index: 1, entries: [{ v: 1, type: 'x' }] }),
    ).toBe(403)
    expect(await statusOf('/api/login/own-code', token, {})).toBe(403)
    const rows = await denied({ keyId })
    const actions = [...Object.values(paths), 'run.write', 'run.write', 'login.code']
    expect(rows.map(({ action, code }) => `${action} ${code}`)).toEqual(actions.map((action) => `${action} permission`))
    expect(rows[0]).toMatchObject({
      kind: 'intent',
      principalName: 'viewer',
      requestId: expect.stringMatching(/^req_/),
    })
  })

  test('where the scopes of the key do not, on the machine that it is about', async () => {
    const scopes = [{ actions: ['recording.read', 'run.*'], machines: { ids: [], names: ['elsewhere'] } }]
    const { rawToken: token, id: keyId } = await world.client.keys.issue({ name: 'limited', scopes })
    const { id: machineId, name } = world.machine
    const mine = run(machineId)
    await world.client.runs.create(mine)
    const paths = [
      '/api/policy',
      '/api/approvals',
      '/api/approvals/events',
      '/api/grants',
      '/metrics',
      `/api/machines/${machineId}`,
      `/api/machines/resolve?ref=${name}`,
      `/api/runs?machineId=${machineId}`,
      `/api/recordings?machineId=${machineId}`,
    ]
    for (const path of paths) expect(await statusOf(path, token), path).toBe(403)
    expect(await statusOf('/api/runs', token, run(machineId))).toBe(403)
    const more = { index: 1, entries: [{ v: 1, type: 'x' }] }
    expect(await statusOf(`/api/runs/${mine.runId}/entries`, token, more)).toBe(403)
    const rows = (await denied({ keyId })).map((row) => [row.action, row.machineId])
    expect(rows).toEqual([
      ...['policy.read', 'approval.read', 'approval.read', 'approval.read', 'metrics.read'].map((each) => [each, null]),
      ...['machine.list', 'machine.list', 'run.read', 'recording.read', 'run.write', 'run.write'].map((each) => [
        each,
        machineId,
      ]),
    ])
    // Read is what one run says; that the key is not for its machine is how that ended.
    expect(await statusOf(`/api/runs/${mine.runId}/entries`, token)).toBe(403)
    const [outcome] = (await world.client.audit.getLogs({ keyId, action: 'run.read', kind: 'outcome' })).items
    expect(outcome).toMatchObject({ runId: mine.runId, code: 'permission' })
  })

  test('of another fleet, whose objects are not named', async () => {
    const store = await world.openStore()
    const other = await addFleet(store)
    const foreign = await addSilentMachine(store, other.fleetId, { name: 'foreign' })
    const { rawToken: token, id: keyId } = await world.client.keys.issue({ name: 'curious' })
    expect(await statusOf(`/api/machines/${foreign}`, token)).toBe(404)
    expect(await statusOf(`/api/fleets/${other.fleetId}/members`, token)).toBe(404)
    expect(await denied({ keyId })).toMatchObject([
      { action: 'machine.list', code: 'not_found', machineId: null, fleetId },
      { action: 'member.list', code: 'not_found', fleetId },
    ])
  })

  test('and one of nobody, or with a wrong key, is none', async () => {
    const before = await denied()
    for (const token of [undefined, 'cmdop_human_no_no', `${world.relay.firstKey.slice(0, -2)}--`])
      for (const path of ['/api/webhooks', '/api/runs', '/metrics', `/api/machines/${world.machine.id}`])
        expect(await statusOf(path, token)).toBe(401)
    expect(await denied()).toEqual(before)
  })
})

describe('a key that is known and refused is a row a minute', () => {
  const rowsOf = async (keyId: string) => (await denied({ keyId })).filter(({ action }) => action === 'key.use')

  test('where it is revoked, or its owner removed, however often it comes', async () => {
    const person = await invitePerson(world, 'leaver', 'member')
    const { rawToken: token, id } = await world.client.keys.issue({ name: 'lost' })
    await world.client.keys.revoke(id)
    await world.client.members.remove(person.id)
    for (let times = 0; times < 3; times += 1) expect(await statusOf('/api/runs', token)).toBe(401)
    await expect(world.connect({ token }).machine(world.machine.id)).rejects.toMatchObject({ code: 'auth' })
    expect(await rowsOf(id)).toMatchObject([
      { action: 'key.use', code: 'auth', principalName: 'lost', subject: `key:${id} from 127.0.0.1` },
    ])
    await expect(person.client.me()).rejects.toMatchObject({ code: 'auth' })
    expect(await rowsOf(person.sessionId)).toMatchObject([{ principalId: person.id, code: 'auth', fleetId }])
  })

  test('where it comes from a wrong address, or has expired, also to a channel', async () => {
    const { rawToken: far, id } = await world.client.keys.issue({ name: 'far', ipRanges: ['10.0.0.0/8'] })
    const expired = await addPrincipalKey(await world.openStore(), fleetId, { expiresInMs: -1 })
    const before = { far: await rowsOf(id), expired: await rowsOf(expired.id) }
    expect(before).toEqual({ far: [], expired: [] })
    await refusedChannel(far)
    await refusedChannel(expired.raw)
    expect(await rowsOf(id)).toMatchObject([{ requestId: null, subject: `key:${id} from 127.0.0.1` }])
    expect(await rowsOf(expired.id)).toMatchObject([{ code: 'auth' }])
  })

  test('and is unavailable where that cannot be written, and a row then', async () => {
    const { rawToken: token, id } = await world.client.keys.issue({ name: 'unlucky' })
    await world.client.keys.revoke(id)
    using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
    database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
    expect(await statusOf('/api/runs', token)).toBe(503)
    database.exec('drop trigger full')
    expect(await statusOf('/api/runs', token)).toBe(401)
    expect(await rowsOf(id)).toHaveLength(1)
  })
})

/** Until a WebSocket with this key is closed by the relay. */
async function refusedChannel(token: string): Promise<void> {
  const socket = new WebSocket(`${world.relay.url.replace('http', 'ws')}/api/channel`, CHANNEL_SUBPROTOCOL, {
    headers: { authorization: `Bearer ${token}` },
  })
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  expect([code, reason.toString()]).toEqual([4000, expect.stringMatching(/^auth: /)])
}

describe('a call that is refused before anything is decided about it is a row', () => {
  test('where a client asks over the channel what is asked over HTTP', async () => {
    const channels = rawChannels(world)
    const callId = 'call_over_channel'
    const call = { method: 'ask', target: world.machine.id, callId, params: { prompt: 'x' } } as const
    await expect(channels.ask(call as never)).rejects.toMatchObject({ code: 'unsupported' })
    await channels.close()
    const { id: machineId } = world.machine
    expect(await denied({ callId })).toMatchObject([{ action: 'ask', code: 'unsupported', machineId }])
  })

  test('where the operator of a machine wants a permit, or a run, that it never gets', async () => {
    await using own = await startWorld()
    const [permit, more] = ['call_in_ask_1', run(own.machine.id)]
    await using opened = new AsyncDisposableStack()
    const act = async (machine: ImpostorAsk) => {
      await machine.askPermit({ type: 'request', callId: permit, method: 'ask', params: {} })
      await machine.writeRun({ type: 'create', number: 1, run: run(own.machine.id) })
      await machine.writeRun({ type: 'create', number: 2, run: more })
    }
    opened.use(await startImpostor(own, act))
    const left = new AbortController()
    const { signal } = left
    const asking = Array.fromAsync(own.client.machines.ask(own.machine.id, 'Do as you like.', { signal }))
    const asked = asking.then(undefined, (error: unknown) => error)
    const rows = await waitFor('both are refused', async () => {
      const { items } = await own.client.audit.getLogs({ decision: 'deny', order: 'oldest' })
      return items.length >= 2 && items
    })
    left.abort()
    expect(await asked).toMatchObject({ code: 'cancelled' })
    expect(rows).toMatchObject([
      { action: 'ask', code: 'permission', callId: permit, principalKind: 'ai', machineId: own.machine.id },
      { action: 'run.write', code: 'permission', runId: more.runId, principalKind: 'ai' },
    ])
  })
})
