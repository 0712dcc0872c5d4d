import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { localMachine } from '../testing/local-machine.ts'
import { startModelServer } from '../testing/model-server.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'

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
  const agent = createAgent({ ...world, env: {}, prices: { 'scripted:scr*': { input: 100_000, output: 200_000 } } })
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
