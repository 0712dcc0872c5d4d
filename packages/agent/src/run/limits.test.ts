import { expect, test } from 'vitest'
import * as z from 'zod'
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
  using world = scriptedWorld(Array.from({ length: 20 }, () => ({ calls: [{ tool: 'nonsense', input: {} }] })))
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({
    code: 'budget',
    details: { limit: 'steps', allowed: 20 },
    result: { status: 'budget' },
  })
  expect(world.seen[18]?.tools).toContain('run_command')
  expect(world.seen[19]?.tools).toEqual(['final_result'])
  expect(world.seen[19]?.toolResults.at(-1)?.text).toContain('last step')
})

test('the reserved step still gives a typed output', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [answer] }])
  await expect(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 2 } })).resolves.toMatchObject({
    output: { word: 'yes' },
  })
})

test('no tool runs in the reserved step', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 1 } }))
  expect(error).toMatchObject({
    code: 'budget',
    result: { toolCalls: [{ isError: true, output: expect.stringContaining('Nothing was run') as string }] },
  })
})

test('tokens over the budget stop the run before its next step', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 15 } }))
  expect(error).toMatchObject({ code: 'budget', details: { limit: 'tokens', used: 15, allowed: 15 } })
})

test('a token budget is refused when the server reports no tokens', async () => {
  using world = scriptedWorld([{ calls: [shell('true')], tokens: null }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 1000 } }))
  expect(error).toMatchObject({ code: 'unsupported', result: { usage: { totalTokens: null } } })
})

test('output bytes shrink what a call shows and end the run when none are left', async () => {
  using world = scriptedWorld([{ calls: [shell('printf aaaaaaaaaa'), shell('printf b')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { outputBytes: 4 } }))
  expect(error).toMatchObject({ code: 'budget', details: { limit: 'outputBytes', used: 4 } })
  expect(error.result.toolCalls).toMatchObject([
    { output: { stdout: 'aa\n[... 6 of 10 bytes are left out here ...]\naa' } },
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
  await expect(run).resolves.toMatchObject({ code: 'cancelled', result: { status: 'cancelled' } })
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
