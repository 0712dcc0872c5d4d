import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from './agent.ts'
import { RunError } from './run/run-error.ts'
import { localMachine } from './testing/local-machine.ts'
import { sampleFacts } from './testing/sample-facts.ts'
import { scriptedModel, type ScriptedStep } from './testing/scripted-model.ts'

const Answer = z.object({ word: z.string() })
const answer = { tool: 'final_result', input: { word: 'yes' } }
const shell = (command: string, more: object = {}) => ({ tool: 'run_command', input: { command, ...more } })

function agentWith(steps: readonly ScriptedStep[]) {
  const model = scriptedModel(steps)
  const machine = localMachine(sampleFacts())
  return {
    agent: createAgent({ machine, model, env: {} }),
    machine,
    [Symbol.dispose]: () => model.assertComplete(),
    seen: model.seen,
  }
}

async function failure(run: Promise<unknown>): Promise<RunError> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(RunError)
  return error as RunError
}

/** A folder with a pipe; a command that writes its process id to it says that it runs. */
async function pidPipe() {
  const folder = await mkdtemp(join(tmpdir(), 'agent-'))
  const path = join(folder, 'pid')
  execFileSync('mkfifo', [path])
  return {
    command: shell(`echo $$ > ${path}; exec sleep 1000`),
    pid: async () => Number(await readFile(path, 'utf8')),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('the output has the type of the schema without narrowing', async () => {
  using world = agentWith([{ calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expectTypeOf(result.output).toEqualTypeOf<{ word: string }>()
  expect(result.output.word).toBe('yes')
})

test('a run without a schema gives the text of the model', async () => {
  using world = agentWith([{ calls: [shell('echo hello')] }, { text: 'It says hello.' }])
  const result = await world.agent.run('What does it say?')
  expectTypeOf(result.output).toEqualTypeOf<string>()
  expect(result).toMatchObject({ output: 'It says hello.', text: 'It says hello.', strategy: 'text' })
  expect(world.seen[0]?.tools).not.toContain('final_result')
})

test('a result says which model made it, what it did and what it used, and is honest about what is not known', async () => {
  using world = agentWith([
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
    using world = agentWith([{ calls: [shell('echo out; echo err >&2')] }, { calls: [answer] }])
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
  using world = agentWith([{ calls: [shell('head -c 1000000 /dev/zero | tr "\\0" x; echo end')] }, { calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  const text = world.seen[1]?.toolResults[0]?.text ?? ''
  expect(text.length).toBeLessThan(17_000)
  expect(text).toContain('[... 983620 of 1000004 bytes are left out here ...]')
  expect(text).toContain('xend\n')
  expect(result.toolCalls[0]?.output).toMatchObject({ truncated: true, stdoutBytes: 1_000_004 })
})

test('binary output is named, and invalid UTF-8 is replaced', async () => {
  using world = agentWith([
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
  using world = agentWith([
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
  using world = agentWith([{ calls: [note('one'), note('two'), note('three')] }, { calls: [answer] }])
  await world.agent.run('Answer', { outputSchema: Answer })
  expect(await readFile(join(folder, 'log'), 'utf8')).toBe('one\ntwo\nthree\n')
  await rm(folder, { recursive: true })
})

test('an unknown tool, an input that does not fit and arguments that are not JSON go back to the model', async () => {
  using world = agentWith([
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
  expect(texts[0]).toContain('Use one of: run_command, read_file, list_files, facts')
  expect(texts[1]).toContain('The input of run_command does not fit. command')
  expect(texts[2]).toContain('not JSON')
  expect(texts[3]).toContain('command_not_found')
  expect(world.seen[1]?.toolResults.every((each) => each.isError)).toBe(true)
  expect(world.seen[1]?.toolResults[0]?.tool).toBe('rm_everything_')
  expect(result.repaired).toBe(false)
})

test('an answer that does not fit goes back with path and message, and counts as repaired', async () => {
  using world = agentWith([{ calls: [{ tool: 'final_result', input: { word: 7 } }] }, { calls: [answer] }])
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
  using world = agentWith([
    { calls: [wrong] },
    { text: 'I am done: {"word": 8}' },
    { text: 'Last words.', calls: [wrong] },
  ])
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

test('the number of repairs can be chosen', async () => {
  using world = agentWith([{ text: 'no' }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, maxRepairs: 0 }))
  expect(error).toMatchObject({ code: 'output_invalid', details: { attempts: 1 } })
})

test.each([
  ['a fence', 'Here:\n```json\n{"word": "yes"}\n```\nBye.'],
  ['prose around it', 'The answer is {"word": "yes"} as you see.'],
  ['a trailing comma', '{"word": "yes",}'],
])('JSON in a text is salvaged from %s', async (_, text) => {
  using world = agentWith([{ text }])
  await expect(world.agent.run('Answer', { outputSchema: Answer })).resolves.toMatchObject({
    output: { word: 'yes' },
    strategy: 'salvaged',
    repaired: false,
  })
})

test('a text without JSON is answered with one demand for final_result', async () => {
  using world = agentWith([{ text: 'The word is yes.' }, { calls: [answer] }])
  const result = await world.agent.run('Answer', { outputSchema: Answer })
  expect(result).toMatchObject({ attempts: 2, repaired: true, strategy: 'final_result' })
  expect(world.seen[1]?.userTexts.at(-1)).toContain('calling the tool final_result')
})

test('an answer in the same step as other calls is not accepted, because it cannot know their results', async () => {
  using world = agentWith([
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
  using world = agentWith([{ calls: [{ tool: 'final_result', input }] }])
  await expect(world.agent.run('Answer', { outputSchema: schema })).resolves.toMatchObject({ output })
  expect(world.seen[0]?.schemas.final_result).toMatchObject({ type: 'object', required: ['result'] })
})

test('nonsense for ever ends at the step budget with code budget, and the last step offers only the answer', async () => {
  using world = agentWith(Array.from({ length: 20 }, () => ({ calls: [{ tool: 'nonsense', input: {} }] })))
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({
    code: 'budget',
    details: { limit: 'steps', allowed: 20 },
    result: { status: 'budget' },
  })
  expect(world.seen[18]?.tools).toContain('run_command')
  expect(world.seen[19]?.tools).toEqual(['final_result'])
  expect(world.seen[19]?.userTexts.at(-1)).toContain('last step')
})

test('the reserved step still gives a typed output', async () => {
  using world = agentWith([{ calls: [shell('true')] }, { calls: [answer] }])
  await expect(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 2 } })).resolves.toMatchObject({
    output: { word: 'yes' },
  })
})

test('no tool runs in the reserved step', async () => {
  using world = agentWith([{ calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { steps: 1 } }))
  expect(error).toMatchObject({ code: 'budget', result: { toolCalls: [{ isError: true }] } })
})

test('tokens over the budget stop the run before its next step', async () => {
  using world = agentWith([{ calls: [shell('true')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 15 } }))
  expect(error).toMatchObject({ code: 'budget', details: { limit: 'tokens', used: 15, allowed: 15 } })
})

test('a token budget is refused when the server reports no tokens', async () => {
  using world = agentWith([{ calls: [shell('true')], tokens: null }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { tokens: 1000 } }))
  expect(error).toMatchObject({ code: 'unsupported', result: { usage: { totalTokens: null } } })
})

test('output bytes shrink what a call shows and end the run when none are left', async () => {
  using world = agentWith([{ calls: [shell('printf aaaaaaaaaa'), shell('printf b')] }])
  const error = await failure(world.agent.run('Answer', { outputSchema: Answer, budget: { outputBytes: 4 } }))
  expect(error).toMatchObject({ code: 'budget', details: { limit: 'outputBytes', used: 4 } })
  expect(error.result.toolCalls).toMatchObject([
    { output: { stdout: 'aa\n[... 6 of 10 bytes are left out here ...]\naa' } },
  ])
})

test('seconds over the budget end the run with deadline and kill the running command', async () => {
  await using pipe = await pidPipe()
  using world = agentWith([{ calls: [pipe.command] }])
  const run = failure(world.agent.run('Answer', { outputSchema: Answer, budget: { seconds: 0.3 } }))
  const pid = await pipe.pid()
  await expect(run).resolves.toMatchObject({ code: 'deadline', result: { status: 'budget' } })
  expect(isRunning(pid)).toBe(false)
})

test('cancelling during a command kills it and rejects as cancelled', async () => {
  await using pipe = await pidPipe()
  using world = agentWith([{ calls: [pipe.command] }])
  const controller = new AbortController()
  const run = failure(world.agent.run('Answer', { outputSchema: Answer, signal: controller.signal }))
  const pid = await pipe.pid()
  controller.abort()
  await expect(run).resolves.toMatchObject({ code: 'cancelled', result: { status: 'cancelled' } })
  expect(isRunning(pid)).toBe(false)
  expect(world.machine.running.size).toBe(0)
})

test('cancelling while the model is silent rejects as cancelled', async () => {
  using world = agentWith([{ text: 'Let me think', hangs: true }])
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
  using world = agentWith([])
  await expect(failure(world.agent.run('Answer', { signal: AbortSignal.abort() }))).resolves.toMatchObject({
    code: 'cancelled',
  })
})

test('a command that is over its own timeout goes back to the model as an error', async () => {
  using world = agentWith([{ calls: [shell('sleep 1000', { timeoutSeconds: 0.05 })] }, { calls: [answer] }])
  await world.agent.run('Answer', { outputSchema: Answer })
  expect(world.seen[1]?.toolResults[0]).toMatchObject({
    isError: true,
    text: expect.stringContaining('deadline') as string,
  })
})

test('a machine that is lost ends the run with its code', async () => {
  using model = scriptedModel([{ calls: [{ tool: 'facts', input: {} }] }])
  const gone = new CmdopError('unavailable', 'The machine is offline.')
  const machine = { ...localMachine(sampleFacts()), facts: () => Promise.reject(gone) }
  const error = await failure(createAgent({ machine, model, env: {} }).run('Answer', { outputSchema: Answer }))
  expect(error).toMatchObject({ code: 'unavailable', message: 'The machine is offline.', result: { status: 'failed' } })
})

test('context reaches the model as data', async () => {
  using world = agentWith([{ calls: [answer] }])
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
  ['another agent type', 'Answer', { agentType: 'planner' }, 'unsupported'],
  ['an empty schema', 'Answer', { outputSchema: z.object({}) }, 'schema_invalid'],
])('%s is refused before anything is sent', async (_, prompt, options, code) => {
  using world = agentWith([])
  await expect(world.agent.run(prompt, options as never)).rejects.toMatchObject({ code })
  expect(() => world.agent.runStream(prompt, options as never)).toThrow(CmdopError)
})
