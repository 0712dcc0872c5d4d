import { randomUUID } from 'node:crypto'
import { MAX_RUN_BYTES, MAX_RUN_ENTRY_BYTES, type RunCreate, type RunEntry } from '@cmdop/protocol'
import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addFleet } from './fleets.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const entry = (type: string, more: object = {}): RunEntry => ({ v: 1, type, ...more })
const newRun = (more: Partial<RunCreate> = {}): RunCreate => ({
  runId: randomUUID(),
  machineId: world.machine.id,
  agentType: 'terminal',
  model: 'scripted:scripted',
  title: 'Look',
  entry: entry('run_started'),
  ...more,
})
const entriesOf = async (runId: string, client: Client = world.client) =>
  (await Array.fromAsync(client.runs.entries(runId))).map((stored) => stored.entry)

async function started(more: Partial<RunCreate> = {}): Promise<string> {
  const run = newRun(more)
  await world.client.runs.create(run)
  return run.runId
}

describe('the journal of a run', () => {
  test('is there as it was written, also after the relay was started again', async () => {
    const runId = await started()
    const more = [entry('step_started', { step: 0 }), entry('step_ended', { text: 'ä\u0000"' })]
    await world.client.runs.append(runId, 1, more)
    await world.relay.restart()
    await world.whenOnline(world.machine)
    await world.client.runs.append(runId, 3, [entry('run_ended', { status: 'failed', code: 'lost' })])
    expect(await entriesOf(runId)).toMatchObject([{ type: 'run_started' }, ...more, { type: 'run_ended' }])
    expect(await world.client.runs.get(runId)).toMatchObject({ state: 'failed', code: 'lost', title: 'Look' })
  })

  test('takes what is sent again as sent', async () => {
    const run = newRun()
    await world.client.runs.create(run)
    await world.client.runs.create(run)
    await world.client.runs.append(run.runId, 1, [entry('one'), entry('two')])
    await world.client.runs.append(run.runId, 1, [entry('one'), entry('two')])
    await world.client.runs.append(run.runId, 3, [entry('three')])
    await world.client.runs.append(run.runId, 1, [entry('one'), entry('two')])
    expect((await entriesOf(run.runId)).map(({ type }) => type)).toEqual(['run_started', 'one', 'two', 'three'])
  })

  test('has one writer at a time: another one is `conflict`', async () => {
    const runId = await started()
    const writers = Array.from({ length: 5 }, (_, n) => world.client.runs.append(runId, 1, [entry(`writer-${n}`)]))
    const outcomes = await Promise.allSettled(writers)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
    await expect(world.client.runs.append(runId, 4, [entry('gap')])).rejects.toMatchObject({ code: 'conflict' })
    await expect(
      world.client.runs.create(newRun({ runId, title: 'Other', entry: entry('other') })),
    ).rejects.toMatchObject({
      code: 'conflict',
    })
    expect(await entriesOf(runId)).toHaveLength(2)
  })

  test('is written by the principal that began it, and seen by its fleet', async () => {
    const runId = await started()
    const { rawToken: token } = await world.client.keys.issue({ name: 'other', role: 'member' })
    const member = world.connect({ token })
    expect(await entriesOf(runId, member)).toHaveLength(1)
    await expect(member.runs.append(runId, 1, [entry('one')])).rejects.toMatchObject({ code: 'permission' })
    const store = await world.openStore()
    const stranger = world.connect({ token: (await addFleet(store)).raw })
    await expect(stranger.runs.get(runId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(entriesOf(runId, stranger)).rejects.toMatchObject({ code: 'not_found' })
    await expect(stranger.runs.append(runId, 1, [entry('one')])).rejects.toMatchObject({ code: 'not_found' })
    await expect(stranger.runs.create(newRun())).rejects.toMatchObject({ code: 'not_found' })
    expect((await stranger.runs.list()).items).toEqual([])
  })

  test('takes nothing more from a key that is revoked, from that moment', async () => {
    const issued = await world.client.keys.issue({ name: 'short', role: 'member' })
    const member = world.connect({ token: issued.rawToken })
    const run = newRun()
    await member.runs.create(run)
    for (const index of [1, 2, 3]) await member.runs.append(run.runId, index, [entry('one')])
    await world.client.keys.revoke(issued.id)
    await expect(member.runs.append(run.runId, 4, [entry('two')])).rejects.toMatchObject({ code: 'auth' })
    expect(await entriesOf(run.runId)).toHaveLength(4)
  })

  test('is bounded, and comes in pages that are', async () => {
    const runId = await started()
    const large = 'x'.repeat(MAX_RUN_ENTRY_BYTES)
    await expect(world.client.runs.append(runId, 1, [entry('large', { large })])).rejects.toMatchObject({
      code: 'frame_too_large',
    })
    const text = 'x'.repeat(3 * 1024 * 1024)
    for (let index = 1; index <= 3; index += 1) await world.client.runs.append(runId, index, [entry('some', { text })])
    expect((await entriesOf(runId)).map(({ type }) => type)).toEqual(['run_started', 'some', 'some', 'some'])
    const fill = async (): Promise<never> => {
      for (let index = 4; ; index += 1) await world.client.runs.append(runId, index, [entry('some', { text })])
    }
    await expect(fill()).rejects.toMatchObject({ code: 'no_space' })
    const bytes = text.length * ((await entriesOf(runId)).length - 1)
    expect(bytes).toBeGreaterThan(MAX_RUN_BYTES - 2 * text.length)
    expect(bytes).toBeLessThanOrEqual(MAX_RUN_BYTES)
  })

  test('says how the run stands, for lists', async () => {
    const runId = await started({ title: 'Listed' })
    await world.client.runs.append(runId, 1, [entry('run_stopped', { status: 'needs_approval', code: 'permission' })])
    expect((await world.client.runs.list({ state: 'needs_approval' })).items).toMatchObject([
      { runId, title: 'Listed' },
    ])
    await world.client.runs.append(runId, 2, [entry('run_resumed', { writer: 'x' })])
    expect(await world.client.runs.get(runId)).toMatchObject({ state: 'running', code: null })
    const all: string[] = []
    for await (const page of world.client.runs.pages({ limit: 2 })) all.push(...page.items.map((run) => run.runId))
    expect(all[0]).toBe(runId)
    expect(new Set(all).size).toBe(all.length)
  })
})
