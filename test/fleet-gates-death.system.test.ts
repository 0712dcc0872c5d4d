import { randomUUID } from 'node:crypto'
import { createFleet } from '@cmdop/fleet'
import type { ApprovalSummary } from '@cmdop/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { invitePerson, type Person } from './people.ts'
import { startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let bob: Person
beforeAll(async () => {
  world = await startWorld({ machines: 2, relay: { drainMs: 0 } })
  bob = await invitePerson(world, 'bob')
})
afterAll(() => world[Symbol.asyncDispose]())

/** A script of its own, which is killed. */
function startScript(settings: { approval?: 'before'; pauses?: true; waves?: number[]; runId: string }) {
  const { url: baseUrl, firstKey: token } = world.relay
  return startChild('fleet-process.ts', { baseUrl, token, command: 'echo hi', concurrency: 2, ...settings })
}

async function asked(runId: string): Promise<ApprovalSummary> {
  return waitFor('people are asked', async () => {
    const { items } = await world.client.approvals.list({ runId })
    return items[0]
  })
}

async function whenHeld(runId: string): Promise<void> {
  await waitFor('it waits for a person', async () => {
    const found = await world.client.fleetRuns.get(runId).catch(() => undefined)
    return found?.wait?.for === 'person'
  })
}

test.each(['before', 'after'] as const)(
  'people who approve a run %s its script is gone on with are asked once',
  async (moment) => {
    const runId = randomUUID()
    const script = await startScript({ approval: 'before', runId })
    const question = await asked(runId)
    await script.end('SIGKILL')
    const approve = () => bob.client.approvals.approve(question.id, { planDigest: question.planDigest })
    if (moment === 'before') await approve()
    const resumed = createFleet(world.client, '*').resume(runId)
    if (moment === 'after') {
      for await (const { type } of resumed) if (type === 'run-wait') break
      await approve()
    }
    expect(await resumed).toMatchObject({ ok: true, counts: { ok: 2 } })
    expect(await Array.fromAsync(world.client.approvals.iter({ runId }))).toHaveLength(1)
  },
)

test('a person who lets a run go on while its script is gone is not asked again', async () => {
  const runId = randomUUID()
  const script = await startScript({ pauses: true, waves: [1, 1], runId })
  await whenHeld(runId)
  await script.end('SIGKILL')
  await bob.client.fleetRuns.proceed(runId)
  const seen: string[] = []
  const resumed = createFleet(world.client, '*').resume(runId, { check: () => 'pause' })
  for await (const { type } of resumed) seen.push(type)
  expect(await resumed).toMatchObject({ ok: true })
  expect(seen).not.toContain('run-wait')
})

test('what a run waits for is there after a restart of the relay, and so is what people say of it', async () => {
  const fleet = createFleet(world.client, '*')
  const [first, second] = [randomUUID(), randomUUID()]
  const approved = fleet.exec('echo hi', { runId: first, approval: 'before' })
  const held = fleet.exec('echo hi', { runId: second, waves: [1, 1], check: () => 'pause' })
  for (const run of [approved, held]) run.then(undefined, () => {})
  const question = await asked(first)
  await whenHeld(second)
  await world.relay.restart()
  for (const machine of world.machines) await world.whenOnline(machine)
  expect(await world.client.fleetRuns.get(second)).toMatchObject({ state: 'paused', wait: { for: 'person', wave: 1 } })
  await bob.client.approvals.approve(question.id, { planDigest: question.planDigest })
  await bob.client.fleetRuns.proceed(second)
  expect(await approved).toMatchObject({ ok: true })
  expect(await held).toMatchObject({ ok: true })
})
