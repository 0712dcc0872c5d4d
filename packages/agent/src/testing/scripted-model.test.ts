import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { localMachine } from './local-machine.ts'
import { sampleFacts } from './sample-facts.ts'
import { type ScriptedModel, scriptedModel } from './scripted-model.ts'

const outputSchema = z.object({ word: z.string() })
const answer = { tool: 'final_result', input: { word: 'yes' } }
const run = (model: ScriptedModel) =>
  createAgent({ machine: localMachine(sampleFacts()), model, env: {} }).run('Answer', { outputSchema })

test('a script that is followed to its end is complete', async () => {
  using model = scriptedModel([{ expect: ({ tools }) => expect(tools).toContain('facts'), calls: [answer] }])
  await expect(run(model)).resolves.toMatchObject({ output: { word: 'yes' } })
})

test('a step that is not in the script fails the run and the script', async () => {
  const model = scriptedModel([{ calls: [{ tool: 'facts', input: {} }] }])
  await expect(run(model)).rejects.toMatchObject({
    code: 'model',
    message: expect.stringContaining('asked for another') as string,
  })
  expect(() => model.assertComplete()).toThrow('The script has 1 steps; the run asked for another.')
})

test('a step that is left over fails the script', async () => {
  const model = scriptedModel([{ calls: [answer] }, { calls: [answer] }])
  await run(model)
  expect(() => model[Symbol.dispose]()).toThrow('The script has 2 steps; the run took 1.')
})

test('an expectation that fails is what the script reports', async () => {
  const model = scriptedModel([
    {
      expect: () => {
        throw new Error('not this prompt')
      },
    },
  ])
  await expect(run(model)).rejects.toMatchObject({ code: 'model' })
  expect(() => model.assertComplete()).toThrow('not this prompt')
})
