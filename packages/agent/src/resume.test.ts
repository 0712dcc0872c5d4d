import { expect, test } from 'vitest'
import { CmdopError } from '@cmdop/protocol'
import { tool } from 'ai'
import { z } from 'zod'
import { createAgent } from './agent.ts'
import { createMemoryJournal, type Journal } from './ports/journal.ts'
import type { Gate } from './ports/gate.ts'
import { Secret } from './redact/secret.ts'
import { journalOf } from './testing/journal-of.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { type ScriptedStep, scriptedModel } from './testing/scripted-model.ts'
import { answer, failure, shell } from './testing/scripted-world.ts'

const outputSchema = z.object({ word: z.string() })
const machine = localMachine(sampleFacts())

const steps: ScriptedStep[] = [
  { thinking: 'Hm.', calls: [shell('echo one'), { tool: 'facts', input: {} }] },
  { calls: [{ tool: 'nothing_of_that_name', input: {} }] },
  { text: 'Nearly.', calls: [shell('exit 3')] },
  { text: 'Not JSON' },
  { calls: [answer] },
]

/** A run that went to its end, and its journal. */
async function wholeRun() {
  const journal = createMemoryJournal()
  using model = scriptedModel(steps)
  const result = await createAgent({ machine, model, journal, env: {} }).run('Go', { outputSchema, context: { a: 1 } })
  return { result, entries: journal.entries, model }
}

test('a run goes on at each boundary between its steps, and ends with the same result', async () => {
  const { result, entries } = await wholeRun()
  for (const [index, { type }] of entries.entries()) {
    const inFlight = type === 'call_started' || (entries[index + 1]?.type === 'call_ended' && type !== 'call_ended')
    if (inFlight) continue
    const left = entries.slice(0, index + 1)
    const taken = left.filter((entry) => entry.type === 'step_ended').length
    using model = scriptedModel(steps.slice(taken))
    const journal = journalOf(left)
    const agent = createAgent({ machine, model, journal, env: {} })
    const resumed = await agent.resume(result.runId, { outputSchema })
    expect({ ...resumed, durationMs: 0, toolCalls: [], steps: [] }).toEqual({
      ...result,
      durationMs: 0,
      toolCalls: [],
      steps: [],
    })
    expect(resumed.toolCalls.map(({ label, outcome }) => [label, outcome])).toEqual(
      result.toolCalls.map(({ label, outcome }) => [label, outcome]),
    )
    const added = journal.entries.slice(left.length).map((entry) => entry.type)
    expect(added[0]).toBe(type === 'run_ended' ? undefined : 'run_resumed')
  }
})

test('the model sees the conversation as it was', async () => {
  const { result, entries, model: first } = await wholeRun()
  const left = entries.slice(0, entries.findLastIndex((entry) => entry.type === 'call_ended') + 1)
  using model = scriptedModel(steps.slice(3))
  await createAgent({ machine, model, journal: journalOf(left), env: {} }).resume(result.runId, { outputSchema })
  const said = ({ seen }: typeof model, step: number) => JSON.parse(JSON.stringify(seen[step])) as unknown
  expect(said(model, 0)).toEqual(said(first, 3))
})

test('what was used of the budget stays used', async () => {
  const journal = createMemoryJournal()
  using model = scriptedModel([{ calls: [shell('echo one')] }, { error: new CmdopError('model', 'away') }])
  const error = await failure(
    createAgent({ machine, model, journal, env: {}, maxRetries: 0 }).run('Go', { outputSchema, budget: { steps: 2 } }),
  )
  expect(journal.entries.at(-1)).toMatchObject({ type: 'run_stopped', status: 'failed', code: 'model' })
  using rest = scriptedModel([
    { calls: [shell('echo two')] },
    { calls: [answer], expect: ({ tools }) => expect(tools).toEqual(['final_result']) },
  ])
  const agent = createAgent({ machine, model: rest, journal, env: {} })
  const result = await agent.resume(error.result.runId, { outputSchema })
  expect(result).toMatchObject({ stoppedBy: 'steps', usage: { totalTokens: 45 } })
})

test('other tools or another schema are `conflict`, which says what differs', async () => {
  const { result, entries } = await wholeRun()
  using model = scriptedModel([])
  const agent = createAgent({ machine, model, journal: journalOf(entries.slice(0, -1)), env: {} })
  const other = z.object({ word: z.number() })
  const error = await failure(agent.resume(result.runId, { outputSchema: other }))
  expect(error).toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('/properties/word/type was "string", is "number"') as string,
  })
  const elsewhere = createAgent({ machine: localMachine(sampleFacts()), model, journal: journalOf(entries), env: {} })
  await expect(elsewhere.resume(result.runId, { outputSchema })).rejects.toMatchObject({ code: 'conflict' })
  await expect(agent.resume('none', { outputSchema })).rejects.toMatchObject({ code: 'not_found' })
})

test('a run that failed for good fails again, and does nothing', async () => {
  const journal = createMemoryJournal()
  using model = scriptedModel([{ calls: [shell('echo one')] }, { text: 'no' }, { text: 'no' }])
  const run = createAgent({ machine, model, journal, env: {} }).run('Go', { outputSchema, maxRepairs: 1 })
  const error = await failure(run)
  using none = scriptedModel([])
  const again = await failure(
    createAgent({ machine, model: none, journal, env: {} }).resume(error.result.runId, { outputSchema }),
  )
  expect(again).toMatchObject({ code: 'output_invalid', message: error.message, result: { status: 'failed' } })
  expect(again.result.toolCalls).toEqual(error.result.toolCalls)
})

test('a run that waits for a person asks again when it is resumed', async () => {
  const journal = createMemoryJournal()
  let approved = false
  const gate: Gate = {
    decide: async () => (approved ? { decision: 'allow' } : { decision: 'pending', approvalId: 'apr_1' }),
  }
  const both = [shell('echo one', { readOnly: true }), shell('echo two', { readOnly: true })]
  using model = scriptedModel([{ calls: both }, { calls: [answer] }])
  const agent = createAgent({ machine, model, gate, journal, env: {} })
  const error = await failure(agent.run('Go', { outputSchema, approval: { wait: false } }))
  expect(error.result.status).toBe('needs_approval')
  const { runId } = error.result
  expect(error.message).toBe(
    `The run needs an approval and does not wait for it: apr_1. Resume the run ${runId} when it is given.`,
  )
  approved = true
  const result = await agent.resume(error.result.runId, { outputSchema })
  expect(result).toMatchObject({
    output: { word: 'yes' },
    approvals: [],
    toolCalls: [{ outcome: 'done' }, { outcome: 'done' }],
  })
})

test('what was denied stays denied', async () => {
  const journal = createMemoryJournal()
  const gate: Gate = { decide: async () => ({ decision: 'deny', rule: 'no', reason: 'Never.' }) }
  using model = scriptedModel([{ calls: [shell('echo one')] }, { error: new CmdopError('model', 'away') }])
  const error = await failure(
    createAgent({ machine, model, gate, journal, env: {}, maxRetries: 0 }).run('Go', { outputSchema }),
  )
  using rest = scriptedModel([{ calls: [shell('echo one')] }, { calls: [answer] }])
  const result = await createAgent({ machine, model: rest, journal, env: {} }).resume(error.result.runId, {
    outputSchema,
  })
  expect(result.denied).toMatchObject([{ rule: 'no' }])
  expect(result.toolCalls.map(({ outcome }) => outcome)).toEqual(['denied', 'denied'])
})

test('a call in flight that nobody can be asked for ends the run with `unknown`; one that only reads is made again', async () => {
  const { result, entries } = await wholeRun()
  const started = entries.findIndex((entry) => entry.type === 'call_started')
  using none = scriptedModel([])
  const agent = createAgent({ machine, model: none, journal: journalOf(entries.slice(0, started + 1)), env: {} })
  const error = await failure(agent.resume(result.runId, { outputSchema }))
  expect(error).toMatchObject({ code: 'unknown', result: { status: 'failed', toolCalls: [{ outcome: 'unknown' }] } })
  const again = await failure(agent.resume(result.runId, { outputSchema }))
  expect(again).toMatchObject({ code: 'unknown', result: { toolCalls: [{ outcome: 'unknown' }] } })
  const facts = entries.findLastIndex((entry) => entry.type === 'call_started' && entry.tool === 'facts')
  using rest = scriptedModel(steps.slice(1))
  const reader = createAgent({ machine, model: rest, journal: journalOf(entries.slice(0, facts + 1)), env: {} })
  expect(await reader.resume(result.runId, { outputSchema })).toMatchObject({ output: result.output })
})

test('two that go on with one run: the second is the one who does', async () => {
  const { result, entries } = await wholeRun()
  using model = scriptedModel([{ error: new CmdopError('model', 'away') }])
  const journal = journalOf(entries.slice(0, 3))
  const agent = createAgent({ machine, model, journal, env: {}, maxRetries: 0 })
  const both = [1, 2].map(() => failure(agent.resume(result.runId, { outputSchema })))
  const codes = (await Promise.all(both)).map(({ code }) => code)
  expect(codes.toSorted()).toEqual(['conflict', 'model'])
  const added = journal.entries.slice(3).map(({ type }) => type)
  expect(added.filter((type) => type === 'run_resumed')).toHaveLength(1)
  expect(added.at(-1)).toBe('run_stopped')
})

test('whoever resumes a run takes it over, also from the agent that still works on it', async () => {
  const memory = createMemoryJournal()
  const [going, resumed, goOn] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
    Promise.withResolvers<string>(),
  ]
  const journal: Journal = {
    ...memory,
    append: async (entry, place) => {
      await memory.append(entry, place)
      if (entry.type === 'run_resumed') resumed.resolve()
    },
  }
  const execute = () => {
    going.resolve()
    return goOn.promise
  }
  const tools = { wait: tool({ inputSchema: z.object({}), execute }) }
  using model = scriptedModel([
    { calls: [{ tool: 'wait', input: {} }] },
    { calls: [shell('echo of the second')] },
    { text: 'Done.' },
  ])
  const agent = createAgent({ machine, model, journal, env: {} })
  const first = failure(agent.run('Go', { tools, readOnlyTools: ['wait'] }))
  await going.promise
  const second = agent.resume(String(memory.entries[0]?.runId), { tools })
  await resumed.promise
  goOn.resolve('gone on')
  expect(await second).toMatchObject({ output: 'Done.', toolCalls: [{ outcome: 'done' }, { outcome: 'done' }] })
  expect(await first).toMatchObject({ code: 'conflict', result: { toolCalls: [{ tool: 'wait' }] } })
  expect(memory.entries.filter(({ type }) => type === 'run_ended')).toMatchObject([{ status: 'completed' }])
})

test('a completed run is played without its model, and a drift shows the difference', async () => {
  const { result, entries } = await wholeRun()
  using none = scriptedModel([])
  const agent = createAgent({ machine, model: none, journal: journalOf(entries), env: {} })
  const recorded = await agent.replay(result.runId, { outputSchema })
  expect(recorded.toolCalls).toEqual(result.toolCalls)
  expect(recorded.output).toEqual(result.output)
  const real = await agent.replay(result.runId, { outputSchema, commands: 'real' })
  expect(real.output).toEqual(result.output)
  const changed = entries.map((entry) =>
    entry.type === 'call_ended' && entry.label === 'c1'
      ? { ...entry, text: entry.text.replaceAll('one', 'two') }
      : entry,
  )
  const drifting = createAgent({ machine, model: none, journal: journalOf(changed), env: {} })
  const error = await failure(drifting.replay(result.runId, { outputSchema, commands: 'real' }))
  expect(error).toMatchObject({ code: 'conflict', message: expect.stringMatching(/At c1: .*two.*one/s) as string })
  const open = createAgent({ machine, model: none, journal: journalOf(entries.slice(0, -1)), env: {} })
  await expect(open.replay(result.runId, { outputSchema })).rejects.toMatchObject({ code: 'conflict' })
})

test('what this version does not know, and what is not kept, is `unsupported`', async () => {
  const { entries, result } = await wholeRun()
  using none = scriptedModel([])
  const changed = entries.map((entry) =>
    entry.type === 'run_started' ? { ...entry, agentType: 'of-tomorrow' } : entry,
  )
  const agent = createAgent({ machine, model: none, journal: journalOf(changed), env: {} })
  await expect(agent.resume(result.runId, { outputSchema })).rejects.toMatchObject({ code: 'unsupported' })
  await expect(agent.replay(result.runId, { outputSchema })).rejects.toMatchObject({ code: 'unsupported' })
  const unkept = createAgent({ machine, model: none, journal: false, env: {} })
  await expect(unkept.resume(result.runId)).rejects.toMatchObject({ code: 'unsupported' })
})

test('a call of which a secret was cut out is not made from the journal', async () => {
  const secret = new Secret('hunter2-hunter2')
  const command = `echo ${secret.reveal()} | wc -c`
  const scripts: ScriptedStep[] = [{ calls: [shell(command)] }, { calls: [shell('true')] }, { text: 'Done.' }]
  const journal = createMemoryJournal()
  using whole = scriptedModel(scripts)
  const made = await createAgent({ machine, model: whole, journal, env: {}, secrets: [secret] }).run('Go')
  const left = journal.entries.slice(
    0,
    journal.entries.findIndex(({ type }) => type === 'call_started'),
  )
  expect(JSON.stringify(left)).not.toContain(secret.reveal())
  using model = scriptedModel(scripts.slice(1))
  const agent = createAgent({ machine, model, journal: journalOf(left), env: {}, secrets: [secret] })
  const { toolCalls } = await agent.resume(made.runId)
  expect(toolCalls.map(({ outcome, output }) => [outcome, output])).toMatchObject([
    ['not-run', expect.stringContaining('a secret was cut out')],
    ['done', { exitCode: 0 }],
  ])
})
