import { randomBytes, randomUUID } from 'node:crypto'
import { recordedBytes, type RemoteMachine } from '@cmdop/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning, withMark } from './marked.ts'
import { startTwoRelays, type TwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'

let world: TwoRelays
let handle: RemoteMachine
let mark = ''
beforeAll(async () => {
  world = await startTwoRelays()
  handle = await world.connect(world.two).machine(world.machineId)
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  mark = newMark()
})
afterEach(() => whenGone(mark))

describe('a machine at one relay and a client at another', () => {
  test('run a command, with input, output and exit', async () => {
    expect(await handle.exec('cat; exit 4', { stdin: 'across' })).toMatchObject({ stdout: 'across', exitCode: 4 })
    expect((await handle.facts()).hostname).toBe(handle.hostname)
  })

  test('have one recording of what ran, which both relays give', async () => {
    const execution = handle.exec('echo recorded')
    await execution
    for (const relay of [world.one, world.two]) {
      const { recordings } = world.connect(relay)
      const recording = await waitFor('it is recorded', async () => {
        const { items } = await recordings.list({ subjectId: execution.callId })
        return items.length === 1 && items[0]
      })
      const events = await Array.fromAsync(recordings.events(recording.recordingId))
      expect(Buffer.from(recordedBytes(events)).toString()).toBe('recorded\n')
    }
  })

  test('write intent and outcome once', async () => {
    const execution = handle.exec('exit 9')
    await execution
    const { fleetId } = await world.connect(world.one).me()
    const rows = await waitFor('both are written', async () => {
      const found = await world.store.audit.list(fleetId, { limit: 10, callId: execution.callId })
      return found.length >= 2 && found
    })
    expect(rows.map(({ row }) => [row.kind, row.exitCode])).toEqual([
      ['intent', null],
      ['outcome', 9],
    ])
  })

  test('pass 16 MB both ways without losing a byte', async () => {
    const data = randomBytes(16 * 1024 * 1024)
    const result = await handle.exec(['cat'], { stdin: data, maxOutputBytes: data.length })
    expect(Buffer.compare(result.stdoutData, data)).toBe(0)
  })

  test('run many commands at once', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => handle.exec(['echo', `${index}`])))
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(results.map((_, index) => index))
  })

  test('can cancel', async () => {
    const stop = new AbortController()
    const running = handle.exec('sleep 1000', { signal: stop.signal, env: { MARK: mark } })
    const error = running.then(undefined, (caught) => caught)
    await whenRunning(mark)
    stop.abort()
    expect(await error).toMatchObject({ code: 'cancelled', details: { confirmed: true } })
    expect(await withMark(mark)).toEqual([])
  })

  test('are seen as one by every relay', async () => {
    for (const relay of [world.one, world.two]) {
      expect(await world.connect(relay).machines.get(world.machineId)).toMatchObject({ presence: 'online' })
    }
  })
})

test('a key that is revoked at one relay ends its connections at the other', async () => {
  const owner = world.connect(world.one)
  const { id, rawToken: token } = await owner.keys.issue({ name: 'short', role: 'member' })
  const machine = await world.connect(world.two, token).machine(world.machineId)
  const running = machine.exec('sleep 1000', { env: { MARK: mark } }).then(undefined, (caught) => caught)
  await whenRunning(mark)
  await owner.keys.revoke(id)
  expect(await running).toMatchObject({ code: 'auth' })
  await whenGone(mark, 2000)
})

test('a machine that moves to another relay keeps serving', async () => {
  await world.move(world.two)
  expect(await handle.exec('echo here')).toMatchObject({ stdout: 'here\n' })
  const far = await world.connect(world.one).machine(world.machineId)
  expect(await far.exec('echo there')).toMatchObject({ stdout: 'there\n' })
  await world.move(world.one)
  expect(await handle.exec('echo back')).toMatchObject({ stdout: 'back\n' })
})

describe('a relay of a set that is closed', () => {
  const running = (machine: RemoteMachine, orphanMs: number) =>
    machine.exec('sleep 1000', { orphanMs, env: { MARK: mark } }).then(undefined, (caught) => caught)

  test('and has the machine, is a coded error for who waits for a command', async () => {
    await using set = await startTwoRelays()
    const machine = await set.connect(set.two).machine(set.machineId)
    const error = running(machine, 0)
    await whenRunning(mark)
    await set.one.close()
    expect(await error).toMatchObject({ code: expect.stringMatching(/^(connection|unavailable)$/) })
    await whenGone(mark)
  })

  test('and has the client, ends the command after its time', async () => {
    await using set = await startTwoRelays()
    const machine = await set.connect(set.two).machine(set.machineId)
    const error = running(machine, 100)
    await whenRunning(mark)
    await set.two.close()
    expect(await error).toMatchObject({ code: 'connection' })
    await whenGone(mark)
    const other = await set.connect(set.one).machine(set.machineId)
    expect(await other.exec('echo on')).toMatchObject({ stdout: 'on\n' })
  })
})

test('a key that is revoked at one relay writes no journal at the other', async () => {
  const { keys } = world.connect(world.one)
  const issued = await keys.issue({ name: 'short', role: 'member' })
  const { runs } = world.connect(world.two, issued.rawToken)
  const runId = randomUUID()
  const entry = { v: 1, type: 'run_started' }
  await runs.create({ runId, machineId: world.machineId, agentType: 'terminal', model: 'm', title: 't', entry })
  await runs.append(runId, 1, [{ v: 1, type: 'one' }])
  await keys.revoke(issued.id)
  await expect(runs.append(runId, 2, [{ v: 1, type: 'two' }])).rejects.toMatchObject({ code: 'auth' })
})

test('a role that is lowered at one relay is lost at the other', async () => {
  const owner = world.connect(world.one)
  const { token: invitation } = await owner.members.invite({ email: 'two@example.com' })
  const { token, principalId: id } = await owner.login.accept({ token: invitation })
  const machine = await world.connect(world.two, token).machine(world.machineId)
  const running = machine.exec(['sleep', '1000'], { env: { MARK: mark } }).then(undefined, (caught) => caught)
  await whenRunning(mark)
  await owner.members.setRole(id, 'viewer')
  const loweredAt = performance.now()
  expect(await running).toMatchObject({ code: 'permission' })
  await whenGone(mark, 1000)
  expect(performance.now() - loweredAt).toBeLessThan(1000)
})
