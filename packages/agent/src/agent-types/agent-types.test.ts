import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import type { Plan } from '../plan/plan.ts'
import type { GateRequest } from '../ports/gate.ts'
import { createMemoryJournal } from '../ports/journal.ts'
import { collect } from '../testing/collect.ts'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { scriptedModel } from '../testing/scripted-model.ts'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'

const Answer = z.object({ word: z.string() })

test('a chat has no tools, and read-only ones if asked', async () => {
  using world = scriptedWorld([{ text: 'Hello.' }, { text: 'Hello again.' }])
  expect((await world.agent.run('Hi', { agentType: 'chat' })).output).toBe('Hello.')
  await world.agent.run('Hi', { agentType: 'chat', builtInTools: ['facts'] })
  expect(world.seen.map((seen) => seen.tools)).toEqual([[], ['facts']])
})

test('a conversation is seen whole in each turn, until it is cleared', async () => {
  using world = scriptedWorld([
    { text: 'Hello, Ann.' },
    { calls: [{ tool: 'facts', input: { parts: ['os'] } }] },
    { calls: [answer] },
    { text: 'You are Ann.' },
    { text: 'Who are you?' },
  ])
  const talk = world.agent.conversation({ builtInTools: ['facts'] })
  await talk.send('I am Ann.')
  const typed = await talk.send('Which system is this?', { outputSchema: Answer })
  expectTypeOf(typed.output).toEqualTypeOf<{ word: string }>()
  expect((await talk.send('Who am I?')).output).toBe('You are Ann.')
  expect(world.seen[3]?.userTexts).toEqual(['I am Ann.', 'Which system is this?', 'Who am I?'])
  expect(world.seen[3]?.toolResults.map((each) => each.tool)).toEqual(['facts', 'final_result'])
  talk.clear()
  await talk.send('Who am I?')
  expect(world.seen[4]?.userTexts).toEqual(['Who am I?'])
})

test('a conversation takes one prompt at a time, and forgets a turn that failed', async () => {
  using world = scriptedWorld([{ error: new Error('busy') }, { text: 'Yes.' }])
  const talk = world.agent.conversation()
  const first = talk.send('One')
  await expect(talk.send('Two')).rejects.toMatchObject({ code: 'conflict' })
  await expect(first).rejects.toMatchObject({ code: 'model' })
  expect(talk.messages).toEqual([])
  expect((await talk.send('Three')).output).toBe('Yes.')
})

test('a long conversation forgets its oldest turns', async () => {
  const long = 'x'.repeat(100_000)
  using world = scriptedWorld(Array.from({ length: 4 }, () => ({ text: long })))
  const talk = world.agent.conversation()
  for (let turn = 0; turn < 4; turn++) await talk.send(`Turn ${turn}`)
  expect(JSON.stringify(talk.messages).length).toBeLessThan(262_144)
  expect(talk.messages.at(-2)).toMatchObject({ role: 'user', content: 'Turn 3' })
})

test('a command agent runs exactly one command and answers from its output', async () => {
  using world = scriptedWorld([
    { text: 'It is surely 3.' },
    { calls: [{ tool: 'run_command', input: { command: ['no-such-program-here'] } }] },
    { calls: [shell('echo one'), shell('echo two', { readOnly: true })] },
    { calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { agentType: 'command', outputSchema: Answer })
  expect(result.toolCalls.map(({ outcome }) => outcome)).toEqual(['error', 'done', 'not-run'])
  expect(world.seen.map((seen) => seen.tools)).toEqual([
    ['run_command'],
    ['run_command'],
    ['run_command'],
    ['final_result'],
  ])
  expect(result).toMatchObject({ agentType: 'command', output: { word: 'yes' }, attempts: 2 })
})

test('a call of another tool is not the command of a command agent', async () => {
  using world = scriptedWorld([
    { calls: [{ tool: 'facts', input: { parts: ['os'] } }] },
    { calls: [shell('echo one')] },
    { calls: [answer] },
  ])
  const settings = { agentType: 'command', builtInTools: ['run_command', 'facts'], outputSchema: Answer } as const
  const result = await world.agent.run('Answer', settings)
  expect(result.toolCalls.map(({ tool, outcome }) => [tool, outcome])).toEqual([
    ['facts', 'done'],
    ['run_command', 'done'],
  ])
})

const route = (handler: string, task = 'Do it well.') => ({
  tool: 'final_result',
  input: { handler, reason: 'It fits.', task },
})

test('a router sends its task to an agent, and says why', async () => {
  using other = scriptedModel([{ calls: [shell('echo routed')] }, { calls: [answer] }])
  using world = scriptedWorld([{ calls: [route('worker')] }])
  const worker = createAgent({ machine: world.machine, model: other, env: {} })
  const routes = {
    worker: { description: 'Does work.', to: worker },
    talker: { description: 'Talks.', to: () => 'no' },
  }
  const stream = world.agent.runStream('Do it', { agentType: 'router', routes, outputSchema: Answer })
  const events = await collect(stream)
  const result = await stream.result
  expectTypeOf(result.output).toEqualTypeOf<{ word: string }>()
  expect(events.map((event) => event.type)).toEqual([
    'usage',
    'usage',
    'tool_call',
    'tool_result',
    'tool_result',
    'usage',
    'result',
  ])
  expect(result).toMatchObject({
    output: { word: 'yes' },
    strategy: 'handler',
    usage: { totalTokens: 45 },
    route: {
      handler: 'worker',
      reason: 'It fits.',
      task: 'Do it well.',
      run: { toolCalls: [{ tool: 'run_command' }] },
    },
  })
  expect(JSON.stringify(world.seen[0]?.schemas.final_result)).toContain('worker: Does work. | talker: Talks.')
})

test('a router sends its task to a function or a machine', async () => {
  using world = scriptedWorld([
    { calls: [route('double')] },
    { calls: [route('machine')] },
    { calls: [answer] },
    { calls: [route('double')] },
  ])
  const routes = {
    double: { description: 'Doubles.', to: ({ prompt }: { prompt: string }) => ({ word: prompt + prompt }) },
    machine: { description: 'A machine.', to: localMachine(sampleFacts()) },
  }
  const settings = { agentType: 'router', routes, outputSchema: Answer } as const
  await expect(world.agent.run('Do it', settings)).resolves.toMatchObject({
    output: { word: 'Do it well.Do it well.' },
  })
  await expect(world.agent.run('Do it', settings)).resolves.toMatchObject({ output: { word: 'yes' } })
  const wrong = { ...settings, outputSchema: z.object({ other: z.string() }) }
  await expect(world.agent.run('Do it', wrong)).rejects.toMatchObject({ code: 'output_invalid' })
})

test('a decision of a router that had to be put right is counted', async () => {
  using world = scriptedWorld([{ calls: [route('nobody')] }, { calls: [route('double')] }])
  const routes = { double: { description: 'Doubles.', to: () => 'done' } }
  const result = await world.agent.run('Do it', { agentType: 'router', routes })
  expect(result).toMatchObject({ output: 'done', attempts: 2, repaired: true })
})

const step = (command: string, more: object = {}) => ({
  description: `Runs ${command}`,
  command,
  danger: 'low',
  reversible: true,
  expectedEffect: 'none',
  ...more,
})

const planned = (...steps: object[]) => ({ tool: 'final_result', input: { steps } })

test('a planner reads, plans, and changes nothing until the plan is executed', async () => {
  const journal = createMemoryJournal()
  using model = scriptedModel([
    { calls: [{ tool: 'facts', input: {} }, shell('touch /tmp/never')] },
    { calls: [planned(step('echo one'), step('echo two'))] },
  ])
  const agent = createAgent({ machine: localMachine(sampleFacts()), model, journal, env: {} })
  const { output: plan, toolCalls } = await agent.run('Plan it', { agentType: 'planner' })
  expectTypeOf(plan).toEqualTypeOf<Plan>()
  expect(model.seen[0]?.tools).not.toContain('run_command')
  expect(toolCalls.map(({ outcome }) => outcome)).toEqual(['done', 'error'])
  const before = journal.entries.length
  const report = await plan.execute()
  expect(report).toMatchObject({
    status: 'completed',
    stoppedAt: null,
    steps: [{ state: 'done', output: 'one\n' }, { state: 'done' }],
  })
  expect(journal.entries.slice(before).map((entry) => entry.type)).toEqual([
    'run_started',
    'call_started',
    'call_ended',
    'call_started',
    'call_ended',
    'run_ended',
  ])
  await expect(plan.execute()).rejects.toMatchObject({ code: 'conflict' })
})

test('a plan stops at the first step that fails, and at the first that is refused', async () => {
  const asked: GateRequest[] = []
  const gate = {
    decide: async (request: GateRequest) => {
      asked.push(request)
      const denied = JSON.stringify(request.input).includes('forbidden')
      return denied ? ({ decision: 'deny', rule: 'no', reason: 'Because.' } as const) : ({ decision: 'allow' } as const)
    },
  }
  const steps = (second: string) => [planned(step('true'), step(second), step('echo never'))]
  using model = scriptedModel([{ calls: steps('exit 3') }, { calls: steps('echo forbidden') }])
  const agent = createAgent({ machine: localMachine(sampleFacts()), model, gate, env: {} })
  const failing = await (await agent.run('Plan it', { agentType: 'planner' })).output.execute()
  expect(failing).toMatchObject({ status: 'stopped', stoppedAt: 1 })
  expect(failing.steps.map(({ state, exitCode }) => [state, exitCode])).toEqual([
    ['done', 0],
    ['failed', 3],
    ['skipped', null],
  ])
  const refused = await (await agent.run('Plan it', { agentType: 'planner' })).output.execute()
  expect(refused.steps.map(({ state }) => state)).toEqual(['done', 'refused', 'skipped'])
  expect(refused.denied).toMatchObject([{ rule: 'no', reason: 'Because.' }])
  expect(asked).toHaveLength(4)
})

test('a plan that is cancelled kills its step', async () => {
  using world = scriptedWorld([{ calls: [planned(step('sleep 1000'), step('true'))] }])
  const { output: plan } = await world.agent.run('Plan it', { agentType: 'planner' })
  const stop = new AbortController()
  const started = world.machine.nextProcess()
  const running = plan.execute({ signal: stop.signal })
  await started
  stop.abort()
  await expect(running).resolves.toMatchObject({ stoppedAt: 0, steps: [{ state: 'cancelled' }, { state: 'skipped' }] })
  expect(world.machine.running.size).toBe(0)
})

test('a planner with a schema of the caller gives both: the typed answer, and the plan', async () => {
  using world = scriptedWorld([
    { calls: [{ tool: 'final_result', input: { result: { word: 'yes' } } }] },
    { calls: [{ tool: 'final_result', input: { result: { word: 'yes' }, plan: { steps: [step('true')] } } }] },
  ])
  const result = await world.agent.run('Plan it', { agentType: 'planner', outputSchema: Answer })
  expect(result.output).toEqual({ word: 'yes' })
  expect(result.plan?.steps).toMatchObject([{ command: 'true' }])
  expect(result.repaired).toBe(true)
  await expect(result.plan?.execute()).resolves.toMatchObject({ status: 'completed' })
})

test('a run that works for another one spends its budget', async () => {
  using other = scriptedModel([{ calls: [shell('true')] }, { calls: [shell('true')] }, { calls: [shell('true')] }])
  using world = scriptedWorld([{ calls: [route('worker')] }])
  const worker = createAgent({ machine: world.machine, model: other, env: {} })
  const routes = { worker: { description: 'Does work.', to: worker } }
  const error = await failure(
    world.agent.run('Do it', { agentType: 'router', routes, outputSchema: Answer, budget: { steps: 3 } }),
  )
  expect(error).toMatchObject({ code: 'budget', result: { route: { run: { status: 'budget' } } } })
})
