import { randomUUID } from 'node:crypto'
import type { Client } from '@cmdop/core'
import { createFleet } from '@cmdop/fleet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { addFleet } from './fleets.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
})
afterAll(() => world[Symbol.asyncDispose]())

/** A client with a key of an AI operator. */
async function operator(
  limits: { role?: 'admin'; maxTargetsPerRun?: number } = {},
): Promise<{ client: Client; id: string }> {
  const { rawToken: token, id } = await world.client.keys.issue({ name: 'robot', kind: 'ai', ...limits })
  return { client: world.connect({ token }), id }
}

/** A run that the relay has a journal of. */
async function registered(client: Client): Promise<string> {
  const runId = randomUUID()
  const run = { runId, machineId: world.machine.id, agentType: 'terminal', model: 'scripted:scripted', title: 'Look' }
  await client.runs.create({ ...run, entry: { v: 1, type: 'run_started' } })
  return runId
}

/** What comes of a command on each machine, in a run or in none. */
async function callAll(client: Client, runId?: string): Promise<string[]> {
  const codes: string[] = []
  for (const { id } of world.machines) {
    const machine = await client.machine(id)
    const calls = runId === undefined ? {} : { operator: { runId, agentType: 'terminal', model: 'scripted' } }
    codes.push(await codeOf(() => machine.as(calls).exec('true')))
  }
  return codes
}

describe('a key with max_targets_per_run', () => {
  test('reaches no more machines in a run, also after it was rotated, and a refusal is a row that says so', async () => {
    const { client, id } = await operator({ maxTargetsPerRun: 2 })
    const runId = await registered(client)
    expect(await callAll(client, runId)).toEqual(['ok', 'ok', 'permission'])
    expect(await callAll(client, await registered(client))).toEqual(['ok', 'ok', 'permission'])
    const { items } = await world.client.audit.getLogs({ runId, decision: 'deny' })
    expect(items).toMatchObject([{ action: 'exec', code: 'permission', machineId: world.machines[2]?.id }])
    const { rawToken: token } = await world.client.keys.rotate(id)
    const third = await world.connect({ token }).machine(world.machines[2]?.id ?? '')
    const calls = { operator: { runId, agentType: 'terminal', model: 'scripted' } }
    await expect(third.as(calls).exec('true')).rejects.toMatchObject({
      code: 'permission',
      message: expect.stringContaining('at most 2 machines in one run'),
    })
  })

  test('has no fleet run over more machines, and reaches no more in the name of one', async () => {
    const { client } = await operator({ maxTargetsPerRun: 2 })
    const whole = createFleet(client, '*').exec('true')
    await expect(whole).rejects.toMatchObject({
      code: 'permission',
      message: expect.stringContaining('at most 2 machines in one run, and this one is over 3'),
      details: { maxTargetsPerRun: 2, targets: 3 },
    })
    const [one, two, three] = world.machines.map(({ name }) => name)
    const { ok, runId } = await createFleet(client, `${one} or ${two}`).exec('true')
    expect(ok).toBe(true)
    // A script that says it is over fewer machines than it then calls.
    const machine = (await client.machine(three ?? '')).as({ fleetRunId: runId })
    await expect(machine.exec('true')).rejects.toMatchObject({
      code: 'permission',
      message: expect.stringContaining('at most 2 machines in one run'),
    })
    const { items } = await world.client.audit.getLogs({ runId, action: 'exec' })
    expect(items.map(({ decision, machineId }) => [decision, machineId])).toContainEqual(['deny', machine.id])
    expect(items.filter(({ decision }) => decision === 'allow')).not.toHaveLength(0)
  })

  test('names no fleet run of another principal, nor one that there is not', async () => {
    const { runId } = await createFleet(world.client, '*').exec('true')
    const { client } = await operator()
    const call = async (fleetRunId: string) => {
      const machine = await client.machine(world.machine.id)
      return await codeOf(() => machine.as({ fleetRunId }).exec('true'))
    }
    expect(await call(runId)).toBe('permission')
    expect(await call(randomUUID())).toBe('not_found')
  })

  test('does not get around it by new connections, by runs that it makes up, or over REST', async () => {
    const { client, id } = await operator({ maxTargetsPerRun: 1 })
    expect(await callAll(client)).toEqual(['ok', 'permission', 'permission'])
    expect(await callAll(client, randomUUID())).toEqual(['ok', 'permission', 'permission'])
    const { rawToken: token } = await world.client.keys.rotate(id)
    const again = world.connect({ token })
    expect(await callAll(again)).toEqual(['ok', 'permission', 'permission'])
    expect(await codeOf(() => again.machines.messages(world.machines[1]?.id ?? ''))).toBe('permission')
  })

  test('of a sub-operator counts for the key that it came from', async () => {
    const { client } = await operator({ role: 'admin', maxTargetsPerRun: 1 })
    const { rawToken: token } = await client.keys.issue({ name: 'sub', kind: 'ai' })
    expect(await callAll(world.connect({ token }))).toEqual(['ok', 'permission', 'permission'])
    const last = await client.machine(world.machines[1]?.id ?? '')
    expect(await codeOf(() => last.exec('true'))).toBe('permission')
  })
})

describe('a run that a call names', () => {
  test('is the caller’s own, or not registered', async () => {
    const [{ client: one }, { client: two }] = [await operator(), await operator()]
    const runId = await registered(one)
    expect(await callAll(one, runId)).toEqual(['ok', 'ok', 'ok'])
    expect(await callAll(two, runId)).toEqual(['permission', 'permission', 'permission'])
    expect(await callAll(two, randomUUID())).toEqual(['ok', 'ok', 'ok'])
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'true' } }]
    const request = { title: 'true', actions, runId, agentType: 'terminal', model: 'scripted' }
    expect(await codeOf(() => two.approvals.request(request))).toBe('permission')
    expect(await codeOf(() => one.approvals.request(request))).toBe('ok')
  })

  test('is not one of another fleet', async () => {
    const store = await world.openStore()
    const { fleetId } = await addFleet(store)
    const { principalId } = await world.client.me()
    const at = new Date().toISOString()
    const id = randomUUID()
    const run = {
      id,
      fleetId,
      principalId,
      machineId: world.machine.id,
      askId: null,
      policy: null,
      agentType: 'terminal',
      model: 'm',
    }
    const row = { ...run, title: 'Look', state: 'running' as const, code: null, createdAt: at, updatedAt: at }
    await store.runs.create(row, { runId: id, position: 0, at, totalBytes: 2, body: '{}' })
    expect(await callAll(world.client, id)).toEqual(['permission', 'permission', 'permission'])
  })
})
