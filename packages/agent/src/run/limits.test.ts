import { expect, test } from 'vitest'
import * as z from 'zod'
import { type AgentOptions, createAgent } from '../agent.ts'
import { localMachine } from '../testing/local-machine.ts'
import { startModelServer } from '../testing/model-server.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { type ScriptedModel, scriptedModel } from '../testing/scripted-model.ts'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'
import type { Budget } from './budget.ts'

const Answer = z.object({ word: z.string() })

const endless = { tool: 'run_command', input: { command: ['sleep', '1000'] } }

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('nonsense for ever ends at the step budget with code budget, and the last step offers only the answer', async () => {
  using world = scriptedWorld(Array.from({ length: 21 }, () => ({ calls: [{ tool: 'nonsense', input: {} }] })))
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({
    code: 'budget',
    details: { limit: 'steps', allowed: 20 },
    result: { status: 'budget' },
  })
  expect(world.seen[19]?.tools).toContain('run_command')
  expect(world.seen[20]?.tools).toEqual(['final_result'])
  expect(world.seen[20]?.toolResults.at(-1)?.text).toContain('last step')
})

test('the reserved step still gives a typed output', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [answer] }])
  await expect(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 1 } })).resolves.toMatchObject({
    output: { word: 'yes' },
    stoppedBy: 'steps',
  })
})

test('no tool runs in the reserved step', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 1 } }))
  expect(error).toMatchObject({
    code: 'budget',
    result: {
      toolCalls: [
        { outcome: 'done' },
        { outcome: 'not-run', output: expect.stringContaining('Nothing was run') as string },
      ],
    },
  })
})

test('tokens over the budget leave one step, for the answer alone', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { text: 'I would rather go on.' }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 15 } }))
  expect(error).toMatchObject({
    code: 'budget',
    details: { limit: 'tokens', used: 15, allowed: 15 },
    result: { status: 'budget', stoppedBy: 'tokens' },
  })
  expect(world.seen[1]?.tools).toEqual(['final_result'])
})

test('dollars over the budget leave one step for the answer, and the result says what it cost', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [answer] }])
  const agent = createAgent({
    machine: world.machine,
    model: world.model,
    env: {},
    prices: { 'scripted:scr*': { input: 100_000, output: 200_000 } },
  })
  const result = await agent.run('Answer', { outputSchema: Answer, budget: { usd: 2 } })
  expect(result).toMatchObject({ output: { word: 'yes' }, stoppedBy: 'usd', cost: 4 })
})

test('a limit in dollars without a price is kept in tokens where those are limited too, and the result says so', async () => {
  using world = scriptedWorld([{ calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer, budget: { usd: 2, tokens: 100 } })
  expect(result.cost).toBeNull()
  expect(result.warnings).toEqual([expect.stringContaining('No price is known for scripted:scripted')])
})

test('a budget that ends while an answer is being written gives the part of it as partial', async () => {
  await using server = await startModelServer([
    { calls: [{ tool: 'final_result', input: { word: 7 } }] },
    { text: 'No.' },
  ])
  const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env('anthropic') })
  const error = await failure(agent.run('Answer', { outputSchema: Answer, budget: { steps: 1 } }))
  expect(error).toMatchObject({
    code: 'budget',
    result: { status: 'partial', partial: { word: 7 }, output: undefined },
  })
})

test('a token budget is refused when the server reports no tokens', async () => {
  using world = scriptedWorld([{ calls: [shell('true')], tokens: null }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 1000 } }))
  expect(error).toMatchObject({ code: 'unsupported', result: { usage: { totalTokens: null } } })
})

/** A router with the one handler that gets the task. */
function routerWith(child: Parameters<typeof scriptedModel>[0], { prices }: Pick<AgentOptions, 'prices'> = {}) {
  const machine = localMachine(sampleFacts())
  const inner = scriptedModel(child)
  const model: ScriptedModel = { ...inner, modelId: 'other' }
  const routes = { worker: { description: 'Works.', to: createAgent({ machine, model, env: {} }) } }
  const input = { handler: 'worker', reason: 'It fits.', task: 'Do it.' }
  const outer = scriptedModel([{ calls: [{ tool: 'final_result', input }] }])
  const agent = createAgent({ machine, model: outer, env: {}, prices })
  const run = (budget: Budget) => agent.run('Go', { agentType: 'router', routes, outputSchema: Answer, budget })
  const dispose = () => [inner, outer].forEach((each) => each.assertComplete())
  return { run, [Symbol.dispose]: dispose }
}

const prices = { 'scripted:scripted': { input: 1, output: 1 } }

test('a limit in dollars holds for an agent that works for the run: without a price it is refused', async () => {
  using world = routerWith([], { prices })
  const error = await failure(world.run({ usd: 0.01 }))
  expect(error).toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('No price is known for scripted:other') as string,
  })
})

test('it is kept in tokens where those are limited too, and the result says so', async () => {
  using world = routerWith([{ calls: [answer] }], { prices })
  const { warnings } = await world.run({ usd: 0.01, tokens: 100 })
  expect(warnings).toEqual([expect.stringContaining('No price is known for scripted:other')])
})

test('a limit in tokens holds for an agent that works for the run, or it ends when nobody counts', async () => {
  using counted = routerWith([{ calls: [shell('true')] }, { calls: [shell('true')] }])
  expect(await failure(counted.run({ tokens: 30 }))).toMatchObject({ code: 'budget', details: { limit: 'tokens' } })
  using uncounted = routerWith([{ calls: [shell('true')], tokens: null }])
  expect(await failure(uncounted.run({ tokens: 30 }))).toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('scripted:other reports no tokens') as string,
  })
})

test('calls side by side share what the budget has left of output', async () => {
  const calls = Array.from({ length: 8 }, () => shell('head -c 900 /dev/zero | tr "\\0" x', { readOnly: true }))
  using world = scriptedWorld([{ calls }, { calls: [answer] }])
  const { toolCalls } = await world.agent.run('Answer', { outputSchema: Answer, budget: { outputBytes: 1000 } })
  const shown = world.seen[1]?.toolResults.map(({ text }) => text.match(/x/g)?.length ?? 0) ?? []
  expect(toolCalls.map(({ outcome }) => outcome)).toEqual(calls.map(() => 'done'))
  expect(Math.min(...shown)).toBeGreaterThan(100)
  expect(shown.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(1000)
})

test('output bytes shrink what a call shows and end the run when none are left', async () => {
  using world = scriptedWorld([{ calls: [shell('printf aaaaaaaaaa'), shell('printf b')] }, { calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { outputBytes: 4 } }))
  expect(error).toMatchObject({ code: 'budget', details: { limit: 'outputBytes', used: 4 } })
  expect(error.result.toolCalls).toMatchObject([
    { output: { stdout: 'aa\n[... 6 of 10 bytes are left out here ...]\naa' } },
    { outcome: 'not-run' },
    { outcome: 'not-run' },
  ])
})

test('seconds over the budget end the run with deadline and kill the running command', async () => {
  using world = scriptedWorld([{ calls: [endless] }])
  const started = world.machine.nextProcess()
  const run = failure(world.agent.run('Answer', { outputSchema: Answer, budget: { seconds: 1 } }))
  const pid = await started
  await expect(run).resolves.toMatchObject({ code: 'deadline', result: { status: 'budget' } })
  expect(isRunning(pid)).toBe(false)
})

test('cancelling during a command kills it and rejects as cancelled', async () => {
  using world = scriptedWorld([{ calls: [endless] }])
  const controller = new AbortController()
  const started = world.machine.nextProcess()
  const run = failure(world.agent.run('Answer', { outputSchema: Answer, signal: controller.signal }))
  const pid = await started
  controller.abort()
  await expect(run).resolves.toMatchObject({
    code: 'cancelled',
    result: { status: 'cancelled', toolCalls: [{ outcome: 'cancelled' }] },
  })
  expect(isRunning(pid)).toBe(false)
  expect(world.machine.running.size).toBe(0)
})

test('cancelling while the model is silent rejects as cancelled', async () => {
  using world = scriptedWorld([{ text: 'Let me think', hangs: true }])
  const controller = new AbortController()
  const stream = world.agent.runStream('Answer', { outputSchema: Answer, signal: controller.signal })
  const types: string[] = []
  for await (const event of stream) {
    types.push(event.type)
    if (event.type === 'text') controller.abort()
  }
  expect(types).toEqual(['text', 'error'])
  await expect(stream.result).rejects.toMatchObject({ code: 'cancelled' })
})

test('a signal that is aborted already sends nothing', async () => {
  using world = scriptedWorld([])
  await expect(failure(world.agent.run('Answer', { signal: AbortSignal.abort() }))).resolves.toMatchObject({
    code: 'cancelled',
  })
})

test('a command that is over its own timeout goes back to the model as an error', async () => {
  using world = scriptedWorld([{ calls: [shell('sleep 1000', { timeoutSeconds: 0.05 })] }, { calls: [answer] }])
  await world.agent.run('Answer', { outputSchema: Answer })
  expect(world.seen[1]?.toolResults[0]).toMatchObject({
    isError: true,
    text: expect.stringContaining('deadline') as string,
  })
})
