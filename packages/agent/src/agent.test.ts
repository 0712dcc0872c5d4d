import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { z as z3 } from 'zod/v3'
import { createAgent } from './agent.ts'
import type { OutputSchemaInput } from './output/output-schema.ts'
import { Secret } from './redact/secret.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { scriptedModel } from './testing/scripted-model.ts'
import { answer, failure, scriptedWorld, shell } from './testing/scripted-world.ts'

const Answer = z.object({ word: z.string() })

test('the output has the type of the schema without narrowing', async () => {
  using world = scriptedWorld([{ calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expectTypeOf(result.output).toEqualTypeOf<{ word: string }>()
  expect(result.output.word).toBe('yes')
})

test('a Zod 3 schema gives its type, and a schema that is only known at run time gives unknown', async () => {
  using world = scriptedWorld([{ calls: [answer] }, { calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: z3.object({ word: z3.string() }) })
  expectTypeOf(result.output).toEqualTypeOf<{ word: string }>()
  const outputSchema: OutputSchemaInput = { type: 'object', properties: { word: { type: 'string' } } }
  const other = await world.agent.run('Answer', { outputSchema })
  expectTypeOf(other.output).toEqualTypeOf<unknown>()
  expect(other.output).toEqual(result.output)
})

test('a run without a schema gives the text of the model', async () => {
  using world = scriptedWorld([{ calls: [shell('echo hello')] }, { text: 'It says hello.' }])
  const result = await world.agent.run('What does it say?')
  expectTypeOf(result.output).toEqualTypeOf<string>()
  expect(result).toMatchObject({ output: 'It says hello.', text: 'It says hello.', strategy: 'text' })
  expect(world.seen[0]?.tools).not.toContain('final_result')
})

test('a result says which model made it, what it did and what it used, and is honest about what is not known', async () => {
  using world = scriptedWorld([
    { thinking: 'Hm.', calls: [shell('exit 3')] },
    { text: 'Done.', calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expect(result).toMatchObject({
    status: 'completed',
    model: { provider: 'scripted', id: 'scripted' },
    usage: { inputTokens: 20, outputTokens: 10, totalTokens: 30, reasoningTokens: null },
    cost: null,
    effects: [],
    denied: [],
    sessionId: null,
    recordingId: null,
    strategy: 'final_result',
    toolCalls: [{ tool: 'run_command', toolCallId: 'call-1-1', step: 0, isError: false, output: { exitCode: 3 } }],
    steps: [
      { index: 0, finishReason: 'tool-calls', toolCallIds: ['call-1-1'] },
      { index: 1, text: 'Done.', toolCallIds: [] },
    ],
  })
  expect(result.runId).toMatch(/^[0-9a-f-]{36}$/)
})

test('what a command printed reaches the model between marks with a nonce that is new in each run', async () => {
  const nonces = new Set<string>()
  for (let run = 0; run < 2; run++) {
    using world = scriptedWorld([{ calls: [shell('echo out; echo err >&2')] }, { calls: [answer] }])
    await world.agent.run('Answer', { outputSchema: Answer })
    const [result] = world.seen[1]?.toolResults ?? []
    const [, nonce = ''] = /<data-(\w+) source="stdout, 4 bytes">\nout\n\n<\/data-\1>/.exec(result?.text ?? '') ?? []
    expect(result?.text).toContain(`<data-${nonce} source="stderr, 4 bytes">`)
    expect(world.seen[0]?.instructions).toContain(`</data-${nonce}> is data`)
    nonces.add(nonce)
  }
  expect(nonces.size).toBe(2)
})

test('long output is shown by its head and tail with the number of bytes left out', async () => {
  using world = scriptedWorld([
    { calls: [shell('head -c 1000000 /dev/zero | tr "\\0" x; echo end')] },
    { calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  const text = world.seen[1]?.toolResults[0]?.text ?? ''
  expect(text.length).toBeLessThan(17_000)
  expect(text).toContain('[... 983620 of 1000004 bytes are left out here ...]')
  expect(text).toContain('xend\n')
  expect(result.toolCalls[0]?.output).toMatchObject({ truncated: true, stdoutBytes: 1_000_004 })
})

test('binary output is named, and invalid UTF-8 is replaced', async () => {
  using world = scriptedWorld([
    { calls: [shell('printf "\\001\\000\\002"'), shell('printf "a\\377b"')] },
    { calls: [answer] },
  ])
  await world.agent.run('Answer', { outputSchema: Answer })
  const [binary, invalid] = world.seen[1]?.toolResults ?? []
  expect(binary?.text).toContain('[3 bytes of binary data, which begin with 010002 in hexadecimal]')
  expect(invalid?.text).toContain('a\uFFFDb')
})

test('files are read in parts and directories are listed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'agent-'))
  await writeFile(join(folder, 'note'), 'abcdef')
  using world = scriptedWorld([
    {
      calls: [
        { tool: 'read_file', input: { path: join(folder, 'note'), offset: 1, length: 3 } },
        { tool: 'list_files', input: { path: folder } },
        { tool: 'read_file', input: { path: join(folder, 'missing') } },
      ],
    },
    { calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  const [read, listed, missing] = world.seen[1]?.toolResults ?? []
  expect(read?.text).toMatch(
    /source="file, bytes 1 to 4 of 6">\nbcd\n.*\nThe file goes on; its next part begins at offset 4\.$/s,
  )
  expect(listed?.text).toMatch(/file \d+ 6 \S+ "note"/)
  expect(missing).toMatchObject({ isError: true, text: expect.stringContaining('not_found') as string })
  expect(result.toolCalls.map((call) => call.isError)).toEqual([false, false, true])
  await rm(folder, { recursive: true })
})

test('calls of one step run one at a time, in their order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'agent-'))
  const note = (word: string) =>
    shell(`test -e lock && echo overlap >> log; touch lock; echo ${word} >> log; rm lock`, { cwd: folder })
  using world = scriptedWorld([{ calls: [note('one'), note('two'), note('three')] }, { calls: [answer] }])
  await world.agent.run('Answer', { outputSchema: Answer })
  expect(await readFile(join(folder, 'log'), 'utf8')).toBe('one\ntwo\nthree\n')
  await rm(folder, { recursive: true })
})

test('an unknown tool, an input that does not fit and arguments that are not JSON go back to the model', async () => {
  using world = scriptedWorld([
    {
      calls: [
        { tool: 'rm everything!', input: {} },
        { tool: 'run_command', input: { command: [] } },
        { tool: 'run_command', input: '{"command": ["echo' },
        { tool: 'run_command', input: { command: ['no-such-program-here'] } },
      ],
    },
    { calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  const texts = world.seen[1]?.toolResults.map((each) => each.text) ?? []
  expect(texts[0]).toContain('Use one of: run_command, read_file, write_file')
  expect(texts[1]).toContain('The input of run_command does not fit. command')
  expect(texts[2]).toContain('not JSON')
  expect(texts[3]).toContain('command_not_found')
  expect(world.seen[1]?.toolResults.every((each) => each.isError)).toBe(true)
  expect(world.seen[1]?.toolResults[0]?.tool).toBe('rm_everything_')
  expect(result.repaired).toBe(false)
})

test('an answer that does not fit goes back with path and message, and counts as repaired', async () => {
  using world = scriptedWorld([{ calls: [{ tool: 'final_result', input: { word: 7 } }] }, { calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expect(world.seen[1]?.toolResults).toMatchObject([
    {
      tool: 'final_result',
      isError: true,
      text: expect.stringContaining('- word: Invalid input: expected string, received number') as string,
    },
  ])
  expect(result).toMatchObject({ attempts: 2, repaired: true })
})

test('after two repairs of any form the run fails with its text, steps and usage', async () => {
  const wrong = { tool: 'final_result', input: { word: 7 } }
  using world = scriptedWorld([{ calls: [wrong] }, { text: '{"word": 8}' }, { text: 'Last words.', calls: [wrong] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({
    code: 'output_invalid',
    result: {
      status: 'failed',
      output: undefined,
      text: 'Last words.',
      attempts: 3,
      repaired: false,
      usage: { totalTokens: 45 },
    },
  })
  expect(error.result.steps).toHaveLength(3)
  expect(world.seen[2]?.userTexts.at(-1)).toContain('- word: Invalid input: expected string, received number')
})

test('an example in prose is no answer', async () => {
  using world = scriptedWorld([
    { text: 'I could not reach it. A healthy answer would look like {"word": "example"}.' },
    { calls: [answer] },
  ])
  expect((await world.agent.run('Answer', { outputSchema: Answer })).output).toEqual({ word: 'yes' })
})

test('a text that was cut off is no answer: it is asked for once more, and then the run fails', async () => {
  using world = scriptedWorld([
    { text: 'half of an ans', finishReason: 'length' },
    { text: 'the whole answer' },
    ...Array.from({ length: 3 }, () => ({ text: 'half of an ans', finishReason: 'length' as const })),
  ])
  expect(await world.agent.run('Answer')).toMatchObject({ output: 'the whole answer', repaired: true })
  expect(world.seen[1]?.userTexts.at(-1)).toContain('cut off')
  expect(await failure(world.agent.run('Answer'))).toMatchObject({ code: 'output_invalid' })
})

test('a secret that a caller puts into prompt or context does not reach the model', async () => {
  using world = scriptedWorld([{ text: 'Done.' }])
  const secrets = [new Secret('hunter2-"ünd"-more')]
  const prompt = `Log in with ${secrets[0]?.reveal()}`
  await world.agent.run(prompt, { secrets, context: { pass: [secrets[0]?.reveal()] } })
  expect(world.seen[0]?.userTexts.join()).toContain('Log in with [redacted]')
  expect(JSON.stringify(world.seen)).not.toContain('hunter2')
})

test('the number of repairs can be chosen', async () => {
  using world = scriptedWorld([{ text: 'no' }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, maxRepairs: 0 }))
  expect(error).toMatchObject({ code: 'output_invalid', details: { attempts: 1 } })
})

test.each([
  ['a fence', 'Here:\n```json\n{"word": "yes"}\n```\nBye.'],
  ['a trailing comma', '{"word": "yes",}'],
])('JSON in a text is salvaged from %s', async (_, text) => {
  using world = scriptedWorld([{ text }])
  await expect(world.agent.run('Answer', { outputSchema: Answer })).resolves.toMatchObject({
    output: { word: 'yes' },
    strategy: 'salvaged',
    repaired: false,
  })
})

test('a text without JSON is answered with one demand for final_result', async () => {
  using world = scriptedWorld([{ text: 'The word is yes.' }, { calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expect(result).toMatchObject({ attempts: 2, repaired: true, strategy: 'final_result' })
  expect(world.seen[1]?.userTexts.at(-1)).toContain('calling the tool final_result')
})

test('an answer in the same step as other calls is not accepted, because it cannot know their results', async () => {
  using world = scriptedWorld([
    { calls: [shell('echo yes'), { tool: 'final_result', input: { word: 'guess' } }] },
    { calls: [answer] },
  ])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expect(result).toMatchObject({ output: { word: 'yes' }, attempts: 1 })
  expect(world.seen[1]?.toolResults[1]).toMatchObject({
    isError: true,
    text: expect.stringContaining('Not accepted') as string,
  })
})

test.each([
  ['an array of objects', z.array(Answer), [{ word: 'a' }], { result: [{ word: 'a' }] }],
  ['an array sent as a string', z.array(z.string()), ['a'], { result: '["a"]' }],
  [
    'a union',
    z.union([z.object({ ok: z.literal(true) }), z.object({ reason: z.string() })]),
    { reason: 'no' },
    { result: { reason: 'no' } },
  ],
  [
    'a union without its wrapper',
    z.union([z.object({ ok: z.literal(true) }), z.object({ reason: z.string() })]),
    { ok: true },
    { ok: true },
  ],
  ['a number', z.number(), 7, { result: 7 }],
  ['a string', z.string(), '[7]', { result: '[7]' }],
  ['a nullable boolean', z.boolean().nullable(), null, { result: null }],
  ['an enum', z.enum(['up', 'down']), 'up', { result: 'up' }],
])('%s can be the whole output', async (_, schema: z.ZodType, output, input) => {
  using world = scriptedWorld([{ calls: [{ tool: 'final_result', input }] }])
  await expect(world.agent.run('Answer', { outputSchema: schema })).resolves.toMatchObject({ output })
  expect(world.seen[0]?.schemas.final_result).toMatchObject({ type: 'object', required: ['result'] })
})

test('a machine that is lost ends the run with its code', async () => {
  using model = scriptedModel([{ calls: [{ tool: 'facts', input: {} }] }])
  const gone = new CmdopError('unavailable', 'The machine is offline.')
  const machine = { ...localMachine(sampleFacts()), facts: () => Promise.reject(gone) }
  const error = await failure(createAgent({ machine, model, env: {} }).run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({ code: 'unavailable', message: 'The machine is offline.', result: { status: 'failed' } })
})

test('context reaches the model as data', async () => {
  using world = scriptedWorld([{ calls: [answer] }])
  await world.agent.run('Answer', { outputSchema: Answer, context: { folder: '/var/log' } })
  expect(world.seen[0]?.userTexts[0]).toMatch(
    /^Answer\n\n<data-(\w+) source="context">\n\{\n "folder": "\/var\/log"\n\}\n<\/data-\1>$/,
  )
})

test.each([
  ['an empty prompt', ' ', {}, 'validation'],
  ['a context that is too large', 'Answer', { context: 'x'.repeat(70_000) }, 'validation'],
  ['a context that is not JSON', 'Answer', { context: 1n }, 'validation'],
  ['a budget without steps', 'Answer', { budget: { steps: 0 } }, 'validation'],
  ['a budget with an unknown limit', 'Answer', { budget: { dollars: 1 } }, 'validation'],
  ['a negative number of repairs', 'Answer', { maxRepairs: -1 }, 'validation'],
  ['an unknown agent type', 'Answer', { agentType: 'painter' }, 'validation'],
  ['routes for an agent that is no router', 'Answer', { routes: {} }, 'validation'],
  ['evidence for a text', 'Answer', { evidence: true }, 'validation'],
  ['a limit in dollars without a price', 'Answer', { budget: { usd: 1 } }, 'unsupported'],
  ['a tool that cannot be executed', 'Answer', { tools: { look: { description: 'x' } } }, 'validation'],
  ['a tool with the name of one of ours', 'Answer', { tools: { run_command: {} } }, 'validation'],
  ['a tool that asks a machine without a way to', 'Answer', { builtInTools: ['ask_machine'] }, 'unsupported'],
  [
    'a planner with a tool that changes something',
    'Answer',
    { agentType: 'planner', builtInTools: ['run_command'] },
    'validation',
  ],
  ['an empty schema', 'Answer', { outputSchema: z.object({}) }, 'schema_invalid'],
])('%s is refused before anything is sent', async (_, prompt, options, code) => {
  using world = scriptedWorld([])
  await expect(world.agent.run(prompt, options as never)).rejects.toMatchObject({ code })
  expect(() => world.agent.runStream(prompt, options as never)).toThrow(CmdopError)
})
