import { expect, test } from 'vitest'
import * as z from 'zod'
import { z as z3 } from 'zod/v3'
import { createAgent } from '../agent.ts'
import { createOutputSchema } from '../output/output-schema.ts'
import { localMachine } from '../testing/local-machine.ts'
import { startModelServer } from '../testing/model-server.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'

// The numbers are those of a list of what users of agent frameworks report most often.
const outputSchema = z.object({ word: z.string() })

test('1. output, tools and a stop condition give a typed result', async () => {
  for (const budget of [{ steps: 1 }, { tokens: 10 }, { outputBytes: 2 }]) {
    using world = scriptedWorld([{ calls: [shell('echo yes')] }, { calls: [answer] }])
    const result = await world.agent.run('Answer', { outputSchema, budget })
    expect(result).toMatchObject({ status: 'completed', output: { word: 'yes' }, stoppedBy: Object.keys(budget)[0] })
  }
})

test('2. a mismatch goes back to the model, and a run that fails keeps what it did and spent', async () => {
  const wrong = { calls: [{ tool: 'final_result', input: { word: 7 } }] }
  using world = scriptedWorld([wrong, { calls: [answer] }, { text: 'Hm.', ...wrong }, wrong, wrong])
  await expect(world.agent.run('Answer', { outputSchema })).resolves.toMatchObject({ repaired: true, attempts: 2 })
  const error = await failure(world.agent.run('Answer', { outputSchema }))
  expect(error.result).toMatchObject({ text: 'Hm.', attempts: 3, usage: { totalTokens: 45 } })
  expect(error.result.steps).toHaveLength(3)
})

test('2. arguments that are almost JSON are put right before another call is spent', async () => {
  using world = scriptedWorld([{ calls: [{ tool: 'final_result', input: '{"word": "yes",}' }] }])
  await expect(world.agent.run('Answer', { outputSchema })).resolves.toMatchObject({
    output: { word: 'yes' },
    strategy: 'salvaged',
    attempts: 1,
  })
})

test('3. after the last repair there is no placeholder: the run fails, and evidence that was made up never passes', async () => {
  const invented = { tool: 'final_result', input: { result: { word: 'test' }, evidence: { word: ['c1'] } } }
  using world = scriptedWorld([{ calls: [invented] }, { calls: [invented] }, { calls: [invented] }])
  const error = await failure(world.agent.run('Answer', { outputSchema, evidence: true }))
  expect(error).toMatchObject({ code: 'output_invalid', result: { status: 'failed', output: undefined, attempts: 3 } })
})

test('4. optional fields, bounds and maps reach a strict provider in its dialect and come back as they were meant', async () => {
  const schema = z.object({ load: z.number().min(0).optional(), tags: z.record(z.string(), z.string()) })
  await using server = await startModelServer([
    { calls: [{ tool: 'final_result', input: { load: null, tags: [{ key: 'role', value: 'web' }] } }] },
  ])
  const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env('openai-responses') })
  const result = await agent.run('Answer', { outputSchema: schema })
  expect(result.output).toEqual({ tags: { role: 'web' } })
  const tools = server.requests[0]?.body['tools'] as {
    name: string
    strict?: boolean
    parameters: z.core.JSONSchema.BaseSchema
  }[]
  const final = tools.find((tool) => tool.name === 'final_result')
  expect(final).toMatchObject({ strict: true, parameters: { required: ['load', 'tags'], additionalProperties: false } })
  expect(JSON.stringify(final)).not.toContain('"minimum"')
})

test('5. a compatible server sees the schema as a tool, and never a response format while tools are live', async () => {
  await using server = await startModelServer([
    { calls: [shell('true')] },
    { calls: [{ tool: 'final_result', input: { word: 'yes' } }] },
  ])
  const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env('openai-compatible') })
  await agent.run('Answer', { outputSchema: z.object({ word: z.string().describe('The one word') }) })
  for (const { body } of server.requests) {
    expect(JSON.stringify(body['tools'])).toContain('The one word')
    expect(body).not.toHaveProperty('response_format')
  }
})

test('6. schemas of Zod 3 and 4 keep their fields, and an empty one is refused before anything is sent', async () => {
  for (const schema of [z.object({ host: z.string() }), z3.object({ host: z3.string() })]) {
    expect(createOutputSchema(schema).toolSchema).toMatchObject({ properties: { host: { type: 'string' } } })
  }
  using world = scriptedWorld([])
  for (const empty of [z.object({}), z3.object({})]) {
    await expect(world.agent.run('Answer', { outputSchema: empty })).rejects.toMatchObject({ code: 'schema_invalid' })
  }
})
