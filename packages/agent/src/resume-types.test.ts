import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { Routes } from './agent-types/routes.ts'
import { createAgent } from './agent.ts'
import type { PlanOutcome } from './plan/plan.ts'
import { createMemoryJournal, type JournalEntry } from './ports/journal.ts'
import { journalOf } from './testing/journal-of.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { type ScriptedStep, scriptedModel } from './testing/scripted-model.ts'
import { answer, failure, shell } from './testing/scripted-world.ts'

const outputSchema = z.object({ word: z.string() })
const machine = localMachine(sampleFacts())
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-resume-types-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The beginnings of a journal at which its run may have been left. */
function beginnings(entries: readonly JournalEntry[]): (readonly JournalEntry[])[] {
  return entries.map((_, index) => entries.slice(0, index + 1))
}

const stepsIn = (entries: readonly JournalEntry[]) => entries.filter(({ type }) => type === 'step_ended').length

/** Whether a call had begun, and not ended. */
function isInFlight(entries: readonly JournalEntry[]): boolean {
  const ended = new Set(entries.flatMap((entry) => (entry.type === 'call_ended' ? [entry.label + entry.runId] : [])))
  return entries.some((entry) => entry.type === 'call_started' && !ended.has(entry.label + entry.runId))
}

const route = (handler: string) => ({ tool: 'final_result', input: { handler, reason: 'It fits.', task: 'Do it.' } })

test('a router goes on at each boundary of its own and of its handler, which is asked once', async () => {
  const routes: Routes = { worker: { description: 'Works.', to: machine } }
  const steps: ScriptedStep[] = [{ calls: [route('worker')] }, { calls: [shell('echo one')] }, { calls: [answer] }]
  const journal = createMemoryJournal()
  using model = scriptedModel(steps)
  const settings = { agentType: 'router', routes, outputSchema } as const
  const whole = await createAgent({ machine, model, journal, env: {} }).run('Go', settings)
  const { runId } = whole
  expect(new Set(journal.entries.map((entry) => entry.runId)).size).toBe(2)
  let resumed = 0
  for (const left of beginnings(journal.entries)) {
    if (isInFlight(left)) continue
    using rest = scriptedModel(steps.slice(stepsIn(left)))
    const agent = createAgent({ machine, model: rest, journal: journalOf(left), env: {} })
    const result = await agent.resume(runId, { routes, outputSchema })
    expect(result).toMatchObject({ runId, output: whole.output, route: { handler: 'worker' } })
    expect(result.route?.run?.runId).toBe(whole.route?.run?.runId)
    resumed += 1
  }
  expect(resumed).toBeGreaterThan(6)
  using none = scriptedModel([])
  const player = createAgent({ machine, model: none, journal, env: {} })
  expect((await player.replay(runId, { routes, outputSchema })).output).toEqual(whole.output)
  const changed: Routes = { worker: { description: 'Works otherwise.', to: machine } }
  await expect(player.replay(runId, { routes: changed, outputSchema })).rejects.toMatchObject({ code: 'conflict' })
  await expect(player.resume(runId, { outputSchema })).rejects.toMatchObject({ code: 'validation' })
})

test('a function that a router has chosen is called once, or it is `unknown` what it did', async () => {
  let called = 0
  const routes: Routes = {
    count: { description: 'Counts.', to: ({ prompt }) => ({ word: `${prompt} ${(called += 1)}` }) },
  }
  const steps: ScriptedStep[] = [{ calls: [route('count')] }]
  const journal = createMemoryJournal()
  using model = scriptedModel(steps)
  const settings = { agentType: 'router', routes, outputSchema } as const
  const { runId } = await createAgent({ machine, model, journal, env: {} }).run('Go', settings)
  for (const left of beginnings(journal.entries)) {
    called = 0
    using rest = scriptedModel(steps.slice(stepsIn(left)))
    const resumed = createAgent({ machine, model: rest, journal: journalOf(left), env: {} }).resume(runId, settings)
    if (isInFlight(left)) {
      expect(await failure(resumed)).toMatchObject({ code: 'unknown' })
      expect(called).toBe(0)
    } else {
      expect((await resumed).output).toEqual({ word: 'Do it. 1' })
      expect(called).toBe(left.some(({ type }) => type === 'call_ended') ? 0 : 1)
    }
  }
})

test('a router that is over calls no handler when it is looked at again', async () => {
  let called = 0
  const failing = createAgent({
    machine,
    model: scriptedModel([]),
    journal: createMemoryJournal(),
    env: {},
    restrictions: { readOnly: true },
  })
  const routes: Routes = {
    agent: { description: 'Cannot be held here.', to: failing },
    function: { description: 'Counts.', to: () => (called += 1) },
  }
  for (const [handler, error] of [
    ['agent', 'restriction_unenforceable'],
    ['function', 'cancelled'],
  ] as const) {
    const journal = createMemoryJournal()
    using model = scriptedModel([{ calls: [route(handler)] }])
    const stop = new AbortController()
    const gone = { ...routes, function: { description: 'Counts.', to: () => stop.abort() } }
    const agent = createAgent({ machine, model, journal, env: {} })
    const ended = await failure(agent.run('Go', { agentType: 'router', routes: gone, signal: stop.signal }))
    expect(ended.code).toBe(error)
    const left = journal.entries.filter(({ type }) => type !== 'call_started' && type !== 'call_ended')
    using none = scriptedModel([])
    const again = createAgent({ machine, model: none, journal: journalOf(left), env: {} })
    expect(await failure(again.resume(ended.result.runId, { routes }))).toMatchObject({ code: error })
  }
  expect(called).toBe(0)
})

test('a handler goes on only on its machine', async () => {
  const elsewhere = { ...localMachine(sampleFacts()), id: 'another' }
  const steps: ScriptedStep[] = [
    { calls: [route('worker')] },
    { calls: [shell('true')] },
    { error: new Error('Away.') },
  ]
  const journal = createMemoryJournal()
  using model = scriptedModel(steps)
  const agent = createAgent({ machine, model, journal, env: {}, maxRetries: 0 })
  const routes = (to: typeof machine): Routes => ({ worker: { description: 'Works.', to } })
  const stopped = await failure(agent.run('Go', { agentType: 'router', routes: routes(machine) }))
  await expect(agent.resume(stopped.result.runId, { routes: routes(elsewhere) })).rejects.toMatchObject({
    code: 'conflict',
  })
})

const planStep = (command: string) => ({
  description: `Runs ${command}`,
  command,
  danger: 'low',
  reversible: true,
  expectedEffect: 'none',
})

/** A plan of these commands that was executed, and the journal of that. */
async function executed(...commands: string[]) {
  const journal = createMemoryJournal()
  using model = scriptedModel([{ calls: [{ tool: 'final_result', input: { steps: commands.map(planStep) } }] }])
  const { output: plan } = await createAgent({ machine, model, journal, env: {} }).run('Plan', { agentType: 'planner' })
  const before = journal.entries.length
  const report = await plan.execute()
  return { report, entries: journal.entries.slice(before) }
}

test('an executed plan goes on at each boundary, and runs no step twice', async () => {
  const file = join(folder, 'steps')
  const { report, entries } = await executed(
    `echo one >>${file}; cd /usr`,
    'pwd',
    `echo three >>${file}; exit 3`,
    'true',
  )
  const { runId, ...whole } = report
  expect(whole).toMatchObject({
    status: 'stopped',
    stoppedAt: 2,
    steps: [{}, { output: '/usr\n' }, {}, { state: 'skipped' }],
  })
  for (const left of beginnings(entries)) {
    if (isInFlight(left)) continue
    await rm(file, { force: true })
    using none = scriptedModel([])
    const agent = createAgent({ machine, model: none, journal: journalOf(left), env: {} })
    const { output, agentType } = await agent.resume(runId)
    expect(agentType).toBe('plan')
    expect(output).toEqual({
      status: whole.status,
      stoppedAt: whole.stoppedAt,
      steps: whole.steps,
    } satisfies PlanOutcome)
    const ended = left.filter(({ type }) => type === 'call_ended').length
    const wrote = ['one\n', '', 'three\n'].slice(ended).join('')
    expect(await readFile(file, 'utf8').catch(() => '')).toBe(wrote)
  }
  using none = scriptedModel([])
  const player = createAgent({ machine, model: none, journal: journalOf(entries), env: {} })
  expect((await player.replay(runId)).output).toMatchObject({ stoppedAt: 2 })
})

test('a plan that waits for a person goes on when that has decided', async () => {
  const journal = createMemoryJournal()
  using model = scriptedModel([{ calls: [{ tool: 'final_result', input: { steps: [planStep('echo done')] } }] }])
  let isAllowed = false
  const gate = {
    decide: async () =>
      isAllowed ? ({ decision: 'allow' } as const) : ({ decision: 'pending', approvalId: 'apr_1' } as const),
  }
  const agent = createAgent({ machine, model, gate, journal, env: {} })
  const planned = await agent.run('Plan', { agentType: 'planner', approval: { wait: false } })
  const report = await planned.output.execute()
  expect(report).toMatchObject({ status: 'stopped', steps: [{ state: 'refused' }] })
  isAllowed = true
  expect((await agent.resume(report.runId)).output).toMatchObject({
    status: 'completed',
    steps: [{ output: 'done\n' }],
  })
})

test('a plan with a secret in it is written down without, and can still be read', async () => {
  const { report, entries } = await executed('export API_TOKEN="s3cr3tvalue12345"; true', 'true')
  expect(JSON.stringify(entries)).not.toContain('s3cr3tvalue')
  using none = scriptedModel([])
  const agent = createAgent({ machine, model: none, journal: journalOf(entries.slice(0, 1)), env: {} })
  const { output } = await agent.resume(report.runId)
  expect(output).toMatchObject({
    stoppedAt: 0,
    steps: [{ output: expect.stringContaining('a secret was cut out') as string }, {}],
  })
})
