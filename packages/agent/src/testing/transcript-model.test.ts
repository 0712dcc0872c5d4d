import { expect, test } from 'vitest'
import { z } from 'zod'
import { createAgent } from '../agent.ts'
import { localMachine } from './local-machine.ts'
import { sampleFacts } from './sample-facts.ts'
import { startModelServer, wireNames } from './model-server.ts'
import { transcriptModel, transcriptTurns } from './transcript-model.ts'

const agentOf = (model: ReturnType<typeof transcriptModel>) =>
  createAgent({ machine: localMachine(sampleFacts()), model, env: {} })
const shell = (command: string) => ({ tool: 'run_command', input: { command } })

const repeats = transcriptModel(function* ({ context }) {
  const { word } = context as { word: string }
  const counted = yield shell(`printf %s ${word} | wc -c`)
  if (Number(counted.data) > 3) return { word, repeated: null }
  const repeated = yield shell(`echo ${word}${word}`)
  return { word, repeated: repeated.data.trim() }
})
const outputSchema = z.object({ word: z.string(), repeated: z.string().nullable() })

test('what it calls next and what it answers follow from what the tools showed, in any number of runs', async () => {
  const run = (word: string) => agentOf(repeats).run('Repeat a short word', { outputSchema, context: { word } })
  const [short, long] = await Promise.all([run('abc'), run('abcd')])
  expect([short.output, short.toolCalls.length]).toEqual([{ word: 'abc', repeated: 'abcabc' }, 2])
  expect([long.output, long.toolCalls.length]).toEqual([{ word: 'abcd', repeated: null }, 1])
})

test.each(wireNames)('does the same behind the %s wire', async (wire) => {
  await using server = await startModelServer(transcriptTurns(repeats.script))
  const agent = createAgent({ machine: localMachine(sampleFacts()), env: server.env(wire) })
  const { output } = await agent.run('Repeat a short word', { outputSchema, context: { word: 'abc' } })
  expect(output).toEqual({ word: 'abc', repeated: 'abcabc' })
})

test('answers a list, and a text where there is no schema', async () => {
  const model = transcriptModel(function* () {
    const { data } = yield shell('printf "1\\n2"; echo 3 >&2')
    return data.trim().split(/\n+/).map(Number)
  })
  expect((await agentOf(model).run('Count', { outputSchema: z.array(z.number()) })).output).toEqual([1, 2, 3])
  expect((await agentOf(model).run('Count')).output).toBe('[1,2,3]')
})

test('has no context where there is none, and knows a call that failed', async () => {
  const model = transcriptModel(function* ({ context }) {
    const { isError, data } = yield { tool: 'read_file', input: { path: '/nowhere' } }
    return JSON.stringify([context ?? 'none', isError, data])
  })
  expect((await agentOf(model).run('Read')).output).toBe('["none",true,""]')
})

test('a script that decides by something else than the transcript fails the run', async () => {
  let turns = 0
  const model = transcriptModel(function* () {
    turns += 1
    yield turns === 1 ? shell('true') : { tool: 'facts', input: {} }
    return 'done'
  })
  await expect(agentOf(model).run('Go')).rejects.toMatchObject({
    code: 'model',
    message: expect.stringContaining('calls facts where the transcript has run_command'),
  })
})

test('an answer that does not fit is given again until the run ends', async () => {
  const model = transcriptModel(function* () {
    yield shell('true')
    return { word: 1 }
  })
  const run = agentOf(model).run('Go', { outputSchema: z.object({ word: z.string() }) })
  await expect(run).rejects.toMatchObject({ code: 'output_invalid' })
})
