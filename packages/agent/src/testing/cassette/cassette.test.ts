import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { cassette } from './cassette.ts'
import { localMachine } from './local-machine.ts'
import { sampleFacts } from './sample-facts.ts'
import { scriptedModel } from './scripted-model.ts'
import { answer, failure, shell } from './scripted-world.ts'

const outputSchema = z.object({ word: z.string() })

async function recorded(...commands: readonly [string, ...string[]]) {
  const folder = await mkdtemp(join(tmpdir(), 'cassette-'))
  const file = join(folder, 'run.json')
  const steps = commands.map((command) => ({ thinking: 'Hm.', calls: [shell(command)] }))
  using model = scriptedModel([...steps, { calls: [answer] }])
  using tape = cassette(file, { record: model })
  const machine = tape.machine(localMachine(sampleFacts()))
  await createAgent({ machine, model: tape.model, env: {} }).run('Go', { outputSchema })
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

test('a run is replayed without its model, with its recorded commands or with real ones', async () => {
  await using tape = await recorded('echo one; echo two >&2; exit 3')
  for (const real of [false, true]) {
    using replay = cassette(tape.file, { replay: true })
    const local = localMachine(sampleFacts())
    const machine = real ? local : replay.machine({ ...local, exec: () => expect.unreachable('Nothing may run.') })
    const result = await createAgent({ machine, model: replay.model, env: {} }).run('Go', { outputSchema })
    expect(result).toMatchObject({
      output: { word: 'yes' },
      toolCalls: [{ output: { exitCode: 3, stdout: 'one\n', stderr: 'two\n' } }],
    })
  }
})

test('what carries over from one command to the next does so in a replay', async () => {
  await using tape = await recorded('cd /usr; export WORD=kept; echo out >&2', 'echo "$WORD in $PWD"')
  using replay = cassette(tape.file, { replay: true })
  const local = localMachine(sampleFacts())
  const directories: (string | undefined)[] = []
  const machine = replay.machine({ ...local, exec: () => expect.unreachable('Nothing may run.') })
  const seen: typeof machine = {
    ...machine,
    exec: (command, options) => {
      directories.push(options?.cwd)
      return machine.exec(command, options)
    },
  }
  const result = await createAgent({ machine: seen, model: replay.model, env: {} }).run('Go', { outputSchema })
  expect(result.toolCalls).toMatchObject([
    { output: { stderr: 'out\n', stderrBytes: 4 } },
    { output: { stdout: 'kept in /usr\n' } },
  ])
  expect(directories.slice(0, 2)).toEqual([undefined, '/usr'])
})

test('a run that is not the one on the tape shows the difference', async () => {
  await using tape = await recorded('cat /proc/uptime')
  const replay = cassette(tape.file, { replay: true })
  const agent = createAgent({ machine: replay.machine(localMachine(sampleFacts())), model: replay.model, env: {} })
  const error = await failure(agent.run('Go elsewhere', { outputSchema }))
  expect(error).toMatchObject({ code: 'conflict', message: expect.stringContaining('is "Go elsewhere"') as string })
  expect(() => replay[Symbol.dispose]()).toThrow('the run ended after 1 of 2 steps')
  const real = cassette(tape.file, { replay: true })
  const other = createAgent({ machine: localMachine(sampleFacts()), model: real.model, env: {} })
  await expect(other.run('Go', { outputSchema })).rejects.toMatchObject({ code: 'conflict' })
})
