import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'
import { createSharedBudget } from './shared-budget.ts'

const Answer = z.object({ word: z.string() })

test('runs that share a budget stop when they have spent it together, each with one more step for its answer', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [answer] }, { calls: [answer] }])
  const sharedBudget = createSharedBudget({ steps: 2 })
  const run = () => world.agent.run('Answer', { outputSchema: Answer, sharedBudget })
  expect(await run()).toMatchObject({ stoppedBy: null })
  expect(sharedBudget.spent()).toEqual({ limit: 'steps', used: 2, allowed: 2 })
  expect(await run()).toMatchObject({ output: { word: 'yes' }, stoppedBy: 'steps' })
  expect(world.seen[2]?.tools).toEqual(['final_result'])
  expect(sharedBudget.used).toEqual({ steps: 3, tokens: 45, usd: null })
})

test('what is not counted cannot be shared, and what is no limit is refused', async () => {
  using world = scriptedWorld([{ calls: [shell('true')], tokens: null }])
  const sharedBudget = createSharedBudget({ tokens: 1000 })
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, sharedBudget }))
  expect(error).toMatchObject({ code: 'unsupported' })
  expect(sharedBudget.uncounted).toBe('tokens')
  expect(() => createSharedBudget({ steps: -1 })).toThrow(expect.objectContaining({ code: 'validation' }))
})

test('a run has the id that it was given, which is a UUID', async () => {
  using world = scriptedWorld([{ calls: [answer] }])
  const runId = randomUUID()
  expect(await world.agent.run('Answer', { outputSchema: Answer, runId })).toMatchObject({ runId })
  await expect(world.agent.run('Answer', { runId: 'mine' })).rejects.toMatchObject({ code: 'validation' })
})
