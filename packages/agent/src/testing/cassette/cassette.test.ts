import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Machine } from '@cmdop/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../../agent.ts'
import { Secret } from '../../redact/secret.ts'
import type { RunOptions } from '../../run/task.ts'
import { createToolbox } from '../../toolbox.ts'
import { localMachine } from '../local-machine.ts'
import { sampleFacts } from '../sample-facts.ts'
import { scriptedModel, type ScriptedCall, type ScriptedStep } from '../scripted-model.ts'
import { answer, failure, shell } from '../scripted-world.ts'
import { type Cassette, cassette } from './cassette.ts'

const outputSchema = z.object({ word: z.string() })

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'cassette-'))
  return { path, file: join(path, 'run.json'), [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

/** A tape of a run with these calls, one step each. */
async function recorded(calls: readonly (ScriptedCall | readonly ScriptedCall[])[], options: RunOptions = {}) {
  const folder = await temporaryFolder()
  const steps: ScriptedStep[] = calls.map((each) => ({ thinking: 'Hm.', calls: [each].flat() }))
  using model = scriptedModel([...steps, { calls: [answer] }])
  using tape = cassette(folder.file, { record: model })
  const result = await runOn(tape, { machine: tape.machine(localMachine(sampleFacts())), options })
  return { ...folder, result, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] }
}

interface Running {
  readonly machine?: Machine
  readonly prompt?: string
  readonly options?: RunOptions
}

function runOn(tape: Cassette, { machine = tape.machine(), prompt = 'Go', options = {} }: Running = {}) {
  return createAgent({ machine, model: tape.model, env: {} }).run(prompt, { ...options, outputSchema })
}

/** Everything that a run came to, but for what is new each time. */
function outcome({ toolCalls, steps }: Awaited<ReturnType<typeof runOn>>) {
  return { calls: toolCalls.map(({ output, outcome }) => ({ output, outcome })), texts: steps.map(({ text }) => text) }
}

test('a run is replayed without its model, and with no machine or with real commands', async () => {
  await using tape = await recorded([shell('echo one; echo two >&2; exit 3')])
  for (const commands of ['recorded', 'real'] as const) {
    using replay = cassette(tape.file, { replay: true, commands })
    const elsewhere = { ...localMachine(sampleFacts()), name: 'ci', hostname: 'ci-runner-7' }
    const machine = commands === 'real' ? replay.machine(elsewhere) : replay.machine()
    await expect(runOn(replay, { machine })).resolves.toMatchObject({
      output: { word: 'yes' },
      toolCalls: [{ output: { exitCode: 3, stdout: 'one\n', stderr: 'two\n' } }],
    })
  }
})

test('facts and files are on tape as commands are, and the machine is the one that was recorded', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'a.conf')
  await writeFile(path, 'port=1\n')
  await using tape = await recorded([
    { tool: 'facts', input: {} },
    [
      { tool: 'list_files', input: { path: folder.path } },
      { tool: 'read_file', input: { path } },
      { tool: 'search_files', input: { path: folder.path, content: 'port' } },
    ],
    { tool: 'edit_file', input: { path, edits: [{ find: '1', replace: '2' }] } },
    { tool: 'read_file', input: { path: `${path}.none` } },
  ])
  await writeFile(path, 'changed meanwhile\n')
  using replay = cassette(tape.file, { replay: true })
  const other = {
    ...localMachine(sampleFacts({ hostname: 'another' })),
    id: 'other',
    name: 'other',
    hostname: 'another',
  }
  const machine = replay.machine(other)
  expect(outcome(await runOn(replay, { machine }))).toEqual(outcome(tape.result))
  expect(machine).toMatchObject({ name: 'local' })
  expect(await readFile(path, 'utf8')).toBe('changed meanwhile\n')
})

test('commands that ran side by side are replayed, whichever ended first', async () => {
  await using folder = await temporaryFolder()
  const pipe = join(folder.path, 'pipe')
  await using tape = await recorded([
    shell(`mkfifo ${pipe}`),
    [shell(`cat ${pipe}`, { readOnly: true }), shell(`echo fast; echo go >${pipe}`, { readOnly: true })],
  ])
  using replay = cassette(tape.file, { replay: true })
  expect(outcome(await runOn(replay))).toEqual(outcome(tape.result))
})

test('what carries over from one command to the next does so in a replay', async () => {
  await using tape = await recorded([shell('cd /usr; export WORD=kept; echo out >&2'), shell('echo "$WORD in $PWD"')])
  using replay = cassette(tape.file, { replay: true })
  const directories: (string | undefined)[] = []
  const machine = replay.machine()
  const seen: typeof machine = {
    ...machine,
    exec: (command, options) => {
      directories.push(options?.cwd)
      return machine.exec(command, options)
    },
  }
  const result = await runOn(replay, { machine: seen })
  expect(result.toolCalls).toMatchObject([
    { output: { stderr: 'out\n', stderrBytes: 4 } },
    { output: { stdout: 'kept in /usr\n' } },
  ])
  expect(directories.slice(0, 2)).toEqual([undefined, '/usr'])
})

test('a secret is on no tape, in no form, and the run is replayed all the same', async () => {
  await using folder = await temporaryFolder()
  const env = { DB_PASSWORD: new Secret('correct horse battery'), API_TOKEN: 'tok-1234567' }
  const [path, ours] = [join(folder.path, '.env'), 'hunter2-of-the-vault']
  await writeFile(path, `A=1\nSMTP_PASSWORD=learned4242secret\nNOTE=${ours} and more\nEND=1\n`)
  const options = { env, secrets: [new Secret(ours)] }
  await using tape = await recorded(
    [
      shell('printf "correct "; printf "horse battery\\n" >&2; echo "$DB_PASSWORD" $API_TOKEN'),
      shell('printf %s "$DB_PASSWORD" | base64; printf %s "$DB_PASSWORD" | od -An -tx1 | tr -d " \\n"'),
      { tool: 'read_file', input: { path } },
      { tool: 'edit_file', input: { path, edits: [{ find: 'A=1', replace: 'A=2' }] } },
      shell('echo learned4242secret'),
    ],
    options,
  )
  const text = await readFile(tape.file, 'utf8')
  const hidden = ['correct horse battery', 'tok-1234567', ours, 'learned4242secret']
  for (const secret of hidden) {
    for (const encoding of ['utf8', 'hex', 'base64'] as const)
      expect(text).not.toContain(Buffer.from(secret).toString(encoding).replace(/.=*$/, ''))
  }
  using replay = cassette(tape.file, { replay: true })
  const other = { env: { DB_PASSWORD: new Secret('another one here'), API_TOKEN: 'tok-7654321' } }
  expect(outcome(await runOn(replay, { options: { ...options, ...other } }))).toEqual(outcome(tape.result))
})

test('what a model says of a secret is cut out across the pieces in which it says it', async () => {
  await using folder = await temporaryFolder()
  using model = scriptedModel([{ thinking: ['It is hun', 'ter2', '2222.'], calls: [answer] }])
  const options = { secrets: [new Secret('hunter22222')] }
  {
    using tape = cassette(folder.file, { record: model })
    await runOn(tape, { machine: localMachine(sampleFacts()), prompt: 'It is hunter22222.', options })
  }
  const text = await readFile(folder.file, 'utf8')
  expect(text).not.toMatch(/hunter22222|ter2/)
  expect(text).toContain('It is [redacted].')
})

test('a run that is not the one on the tape shows the difference, and nothing over it', async () => {
  await using tape = await recorded([shell('echo one')])
  const elsewhere = async () => {
    using replay = cassette(tape.file, { replay: true })
    return await runOn(replay, { prompt: 'Go elsewhere' })
  }
  expect(await failure(elsewhere())).toMatchObject({
    name: 'RunError',
    code: 'conflict',
    message: expect.stringContaining('is "Go elsewhere"') as string,
  })
  const early = cassette(tape.file, { replay: true })
  expect(() => early[Symbol.dispose]()).toThrow('the run ended after 0 of 2 steps')
  using real = cassette(tape.file, { replay: true, commands: 'real' })
  const facts = sampleFacts()
  const machine = real.machine({
    ...localMachine(facts),
    exec: (_, options) => localMachine(facts).exec('echo two', options),
  })
  expect((await failure(runOn(real, { machine }))).message).toMatch(/At step 2: .*one.*two/)
})

test('a command that is not on the tape is the difference that is shown', async () => {
  await using tape = await recorded([shell('echo one')])
  const changed = JSON.parse(await readFile(tape.file, 'utf8')) as { calls: { args: unknown[] }[] }
  if (changed.calls[0] !== undefined) changed.calls[0].args[0] = 'echo other'
  await writeFile(tape.file, JSON.stringify(changed))
  const replayed = async () => {
    using replay = cassette(tape.file, { replay: true })
    return await runOn(replay)
  }
  expect(await failure(replayed())).toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('At call 1 of the machine: /args/0 was "echo other"') as string,
  })
})

test('a call of the model that fails and is made again is on tape once', async () => {
  await using folder = await temporaryFolder()
  using model = scriptedModel([{ error: new Error('busy') }, { calls: [answer] }])
  {
    using tape = cassette(folder.file, { record: model })
    const machine = tape.machine(localMachine(sampleFacts()))
    await failure(runOn(tape, { machine }))
    await runOn(tape, { machine })
  }
  using replay = cassette(folder.file, { replay: true })
  await expect(runOn(replay)).resolves.toMatchObject({ output: { word: 'yes' } })
})

test('tools of a machine on tape, for another agent, leave no secret on it either', async () => {
  await using folder = await temporaryFolder()
  using model = scriptedModel([])
  {
    using tape = cassette(folder.file, { record: model })
    const toolbox = createToolbox({ secrets: [new Secret('hunter22222')] })
    const input = { command: 'echo hunter22222' }
    const { signal } = new AbortController()
    const machine = tape.machine(localMachine(sampleFacts()))
    const { text } = await toolbox.call({ machine, tool: 'run_command', input, signal })
    expect(text).toContain('[redacted]')
  }
  expect(await readFile(folder.file, 'utf8')).not.toContain('hunter22222')
})
