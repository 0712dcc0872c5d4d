import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { goOnWithPlaybook } from '@cmdop/fleet'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { loggedPlaybook, logOf } from './logged-playbook.ts'
import { startChild } from './processes/child.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})

const log = async () => (await readFile(logOf(folder, world.machine), 'utf8')).trim().split('\n')
const pending = async () => (await world.client.approvals.list({ state: 'pending' })).items

/** A playbook whose script was killed while people were asked. */
async function killedWhileAsking(): Promise<string> {
  const [{ url: baseUrl, firstKey: token }, runId] = [world.relay, randomUUID()]
  const inputs = { folder, fails: false, asks: true }
  const script = await startChild('playbook-process.ts', { baseUrl, token, runId, inputs, isBegun: false })
  for await (const line of script.lines) if (line.includes('run-wait')) break
  await expect.poll(async () => (await pending()).length).toBe(1)
  await script.end('SIGKILL')
  return runId
}

test('what people deny while no script is there ends the playbook of whoever goes on with it, and nobody is asked again', async () => {
  const runId = await killedWhileAsking()
  const [question] = await pending()
  await world.client.approvals.deny(question?.id ?? '', { reason: 'Not today.' })
  const report = await loggedPlaybook.resume(world.client, runId)
  expect(report).toMatchObject({ outcome: 'denied', message: expect.stringContaining('Not today.') })
  expect(await log()).toEqual(['one', 'two', 'undo-two', 'undo-one'])
  expect(await pending()).toEqual([])
  // Nor is it for whoever goes on after that.
  expect(await loggedPlaybook.resume(world.client, runId)).toMatchObject({ outcome: 'denied' })
  expect(await log()).toHaveLength(4)
})

test('what people approve while no script is there goes on', async () => {
  const runId = await killedWhileAsking()
  const [question] = await pending()
  await world.client.approvals.approve(question?.id ?? '', { planDigest: question?.planDigest ?? '' })
  expect(await loggedPlaybook.resume(world.client, runId)).toMatchObject({ outcome: 'ok' })
  expect(await log()).toEqual(['one', 'two', 'three', 'four'])
})

test('a playbook that is cancelled while no script is there is undone by whoever goes on with it', async () => {
  const runId = await killedWhileAsking()
  await world.client.fleetRuns.cancel(runId)
  const report = await loggedPlaybook.resume(world.client, runId)
  expect(report).toMatchObject({ outcome: 'cancelled', message: 'The playbook was cancelled.' })
  expect(await log()).toEqual(['one', 'two', 'undo-two', 'undo-one'])
  expect(await world.client.fleetRuns.get(runId)).toMatchObject({ state: 'cancelled' })
})

test('a playbook that cannot be loaded stays cancelled', async () => {
  const runId = await killedWhileAsking()
  await world.client.fleetRuns.cancel(runId)
  const load = () => Promise.reject(new Error('not there'))
  await expect(goOnWithPlaybook(world.client, runId, { load })).rejects.toThrow('not there')
  expect(await loggedPlaybook.resume(world.client, runId)).toMatchObject({ outcome: 'cancelled' })
  expect(await log()).toEqual(['one', 'two', 'undo-two', 'undo-one'])
})

test('a playbook that somebody has paused begins no further step until it is continued', async () => {
  const run = loggedPlaybook.run(world.client, { on: '*', inputs: { folder, fails: false } })
  for await (const event of run) {
    if (event.type !== 'step-start' || event.step !== 'one') continue
    await world.client.fleetRuns.pause(run.runId, {})
    break
  }
  await expect.poll(log).toEqual(['one'])
  await expect.poll(async () => (await world.client.fleetRuns.get(run.runId)).state).toBe('paused')
  await world.client.fleetRuns.proceed(run.runId)
  expect(await run).toMatchObject({ outcome: 'ok' })
  expect(await log()).toEqual(['one', 'two', 'three', 'four'])
})
