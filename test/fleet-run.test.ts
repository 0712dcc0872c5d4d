import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Secret } from '@cmdop/agent'
import { scriptedModel, type ScriptedStep } from '@cmdop/agent/testing'
import { createFleet } from '@cmdop/fleet'
import { type AgentDefaults, Client } from 'cmdop'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
const clients = new AsyncDisposableStack()
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
})
afterAll(async () => {
  await clients.disposeAsync()
  await world[Symbol.asyncDispose]()
})

const Host = z.object({ host: z.string() })

/** A script of its own, whose operators are made of this. */
function scriptWith(agent: AgentDefaults): Client {
  return clients.use(new Client({ baseUrl: world.relay.url, token: world.relay.firstKey, agent }))
}

const runs = (command: string): ScriptedStep => ({ calls: [{ tool: 'run_command', input: { command } }] })
const says = (host: string): ScriptedStep => ({ calls: [{ tool: 'final_result', input: { host } }] })

test('an operator works on each machine, and each row has its answer, typed, with what it used', async () => {
  using model = scriptedModel(['a', 'b', 'c'].flatMap((host) => [runs(`echo ${host}`), says(host)]))
  const client = scriptWith({ model, prices: { 'scripted:scripted': { input: 1, output: 1 } } })
  const report = await createFleet(client, '*').run(({ name }) => `Look at ${name}`, {
    outputSchema: Host,
    concurrency: 1,
  })
  expect(report).toMatchObject({ ok: true, stop: null, counts: { ok: 3 } })
  // The schema's type, without a cast.
  const hosts: (string | undefined)[] = report.rows.map(({ result }) => result?.output?.host)
  expect(hosts).toEqual(['a', 'b', 'c'])
  for (const { machine, result } of report.rows) {
    expect(result).toMatchObject({ model: 'scripted:scripted', steps: 2, toolCalls: 1, usage: { totalTokens: 30 } })
    expect(result?.cost).toBeCloseTo(30e-6)
    const run = await client.runs.get(result?.runId ?? '')
    expect(run).toMatchObject({ machineId: machine.id, state: 'completed', title: `Look at ${machine.name}` })
  }
  expect(await client.fleetRuns.get(report.runId)).toMatchObject({ kind: 'run', state: 'ended', counts: { ok: 3 } })
})

test('an operator without an answer has failed, and what it said and used is there', async () => {
  using model = scriptedModel([{ text: 'I do not know.' }, { text: 'Still not.' }])
  const report = await createFleet(scriptWith({ model }), 'machine-0').run('Look', {
    outputSchema: Host,
    maxRepairs: 1,
  })
  expect(report.rows).toMatchObject([
    { outcome: 'failed', error: { code: 'output_invalid' }, result: { output: null, text: 'Still not.', steps: 2 } },
  ])
})

test('once the budget of all machines is spent the run stops, says so, and the machines left are skipped', async () => {
  using model = scriptedModel([runs('true'), says('a'), runs('true'), says('b')])
  const client = scriptWith({ model })
  const report = await createFleet(client, '*').run('Look', {
    outputSchema: Host,
    concurrency: 1,
    budget: { total: { steps: 3 }, perMachine: { steps: 5 } },
  })
  // The second machine spends the third step; the reserved one is for its answer.
  expect(report.rows.map(({ outcome, result }) => [outcome, result?.steps])).toEqual([
    ['ok', 2],
    ['ok', 2],
    ['skipped', undefined],
  ])
  expect(report.stop).toEqual({ reason: 'budget', message: 'The machines used 4 of 3 steps of budget.total.' })
  expect(model.seen.at(-1)?.tools).toEqual(['final_result'])
  // It has no more than that in another script either.
  using never = scriptedModel([])
  const again = await createFleet(scriptWith({ model: never }), '*').resume(report.runId, { outputSchema: Host })
  expect(again).toMatchObject({ counts: { ok: 2, skipped: 1 }, stop: { reason: 'budget' } })
})

test('a run whose script is gone goes on where its operators were: nothing is done twice', async () => {
  const [runId, folder] = [randomUUID(), await world.folder()]
  const counts = (name: string) => runs(`echo x >> ${join(folder, name)}`)
  using gone = scriptedModel([counts('a'), says('a'), counts('b'), { hangs: true }])
  const first = createFleet(scriptWith({ model: gone }), '*').run('Look', { runId, outputSchema: Host, concurrency: 1 })
  await waitFor('the model is asked again', () => gone.seen.length === 4)

  using model = scriptedModel([says('b'), counts('c'), says('c')])
  const fleet = createFleet(scriptWith({ model }), '*')
  await expect(fleet.resume(runId)).rejects.toMatchObject({ code: 'validation', message: /outputSchema/ })
  await expect(fleet.resume(runId, { outputSchema: Host, callApproval: 'always' })).rejects.toMatchObject({
    code: 'validation',
  })
  const report = await fleet.resume(runId, { outputSchema: Host })
  expect(report).toMatchObject({ ok: true, counts: { ok: 3 } })
  expect(report.rows.map(({ result }) => result?.output?.host)).toEqual(['a', 'b', 'c'])
  for (const name of ['a', 'b', 'c']) expect(await readFile(join(folder, name), 'utf8')).toBe('x\n')
  expect((await first).stop).toMatchObject({ reason: 'ledger' })
})

test('the same run twice is one operator on each machine: whoever came last has all answers, the other the same or leaves it', async () => {
  const [runId, Facts] = [randomUUID(), z.object({ hostname: z.string() })]
  const begin = () => createFleet(scriptWith({ model: 'facts' }), '*').run('How is it?', { runId, outputSchema: Facts })
  const reports = await Promise.all([begin(), begin()])
  const [whole, other] = reports.toSorted((first, second) => Number(second.ok) - Number(first.ok))
  expect(whole).toMatchObject({ ok: true, counts: { ok: 3 } })
  for (const [index, row] of other?.rows.entries() ?? []) {
    const { result } = whole?.rows[index] ?? {}
    if (row.outcome === 'ok') expect([row.result?.runId, row.result?.output]).toEqual([result?.runId, result?.output])
    else expect([row.outcome, other?.stop?.reason]).toEqual(['unknown', 'ledger'])
  }
})

test('a retry has a new operator work where the one before had no answer, and nowhere else', async () => {
  using model = scriptedModel([says('a'), { error: new Error('gone') }, says('c'), says('b')])
  const fleet = createFleet(scriptWith({ model, maxRetries: 0 }), '*')
  const first = await fleet.run('Look', { outputSchema: Host, concurrency: 1 })
  expect(first.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['ok', undefined],
    ['failed', 'model'],
    ['ok', undefined],
  ])
  const second = await fleet.retry(first.runId, { outcomes: ['failed'], outputSchema: Host })
  expect(second.rows.map(({ result }) => result?.output?.host)).toEqual(['a', 'b', 'c'])
  const ids = [first, second].map(({ rows }) => rows.map(({ result }) => result?.runId))
  expect(ids[0]?.map((id, index) => id === ids[1]?.[index])).toEqual([true, false, true])
})

test('what is wrong is told before any machine is asked: a model, a schema, an option, a secret that the relay would keep', async () => {
  using model = scriptedModel([])
  const fleet = createFleet(scriptWith({ model }), '*')
  await expect(createFleet(scriptWith({ model: 'nobody:1' }), '*').run('Look')).rejects.toMatchObject({
    code: 'config',
  })
  await expect(fleet.run('Look', { outputSchema: z.object({}) })).rejects.toMatchObject({ code: 'schema_invalid' })
  await expect(fleet.run('Look', { budget: { perMachine: { steps: 0 } } })).rejects.toMatchObject({
    code: 'validation',
  })
  await expect(fleet.run('Look', { budget: { total: { usd: 1 } } })).rejects.toMatchObject({ code: 'unsupported' })
  const secrets = [new Secret('hush-hush')]
  await expect(fleet.run('Log in with hush-hush', { secrets })).rejects.toMatchObject({ code: 'validation' })
})
