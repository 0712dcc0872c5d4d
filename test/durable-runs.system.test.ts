import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rm } from 'node:fs/promises'
import { createAgent, createMemoryJournal, createRelayJournal, RunError } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { CmdopError } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { killAtBoundary, whenLines } from './durable-runs.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const COMMANDS = 3

/** The end of a call, for which nothing waits. All boundaries, and a journal that waits for each entry, are in the full tier. */
const boundary = 4

describe.each([
  ['script', 'going'],
  ['relay', 'held'],
  ['machine', 'going'],
] as const)('a run whose %s is killed', (victim, moment) => {
  test('goes on, and has executed each command once or says of which it does not know', async () => {
    await using world = await startWorld({ separateProcesses: true })
    await killAtBoundary(world, { victim, boundary, moment, commands: COMMANDS, waits: false })
  })
})

/** A script with a command that waits for a file, killed while that runs. */
async function killedInCommand(world: World, { command }: { command: string }) {
  const { url: baseUrl, firstKey: token } = world.relay
  const settings = { baseUrl, token, machineId: world.machine.id, commands: [command] }
  const script = await startChild<string>('./durable-run-process.ts', settings)
  const { value } = await script.lines.next()
  const { runId } = JSON.parse(String(value)) as { runId: string }
  return { script, settings, runId }
}

test('a command that goes on while its script is dead is waited for, with all of its output', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const [mark, folder] = [newMark(), await world.folder()]
  const [file, go] = [join(folder, 'done'), join(folder, 'go')]
  const command = `echo x >>${file}; echo said 0 in /before; until [ -e ${go} ]; do sleep 0.02; done; echo said 1 in /after # ${mark}`
  const { script, settings, runId } = await killedInCommand(world, { command })
  await whenLines(file, 1)
  await script.end('SIGKILL')
  const resumed = await startChild<string>('./durable-run-process.ts', { ...settings, runId })
  await writeFile(go, '')
  const { value } = await resumed.lines.next()
  expect(JSON.parse(String(value))).toEqual({ output: 'said 0 in /before, said 1 in /after', outcomes: ['done'] })
  await resumed.end()
  await whenGone(mark)
})

test('a command whose daemon was killed under it is `unknown`, and is not run again', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const [mark, folder] = [newMark(), await world.folder()]
  const file = join(folder, 'done')
  const { script, settings, runId } = await killedInCommand(world, { command: `echo x >>${file}; sleep 100 # ${mark}` })
  await whenLines(file, 1)
  await whenRunning(mark)
  await script.end('SIGKILL')
  await world.machine.kill()
  await world.machine.restart()
  await world.whenOnline(world.machine)
  for (let times = 0; times < 2; times += 1) {
    const resumed = await startChild<string>('./durable-run-process.ts', { ...settings, runId })
    const { value } = await resumed.lines.next()
    expect(JSON.parse(String(value))).toEqual({ code: 'unknown', outcomes: ['unknown'] })
    await resumed.end()
  }
  expect(await world.client.runs.get(runId)).toMatchObject({ state: 'failed', code: 'unknown' })
  await whenGone(mark)
})

test('a command of which a machine has lost its memory is `unknown`, and is not run again', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const [mark, folder] = [newMark(), await world.folder()]
  const file = join(folder, 'done')
  const { script, settings, runId } = await killedInCommand(world, { command: `echo x >>${file}; sleep 0.5 # ${mark}` })
  await whenLines(file, 1)
  await script.end('SIGKILL')
  await whenGone(mark)
  await world.machine.kill()
  for (const name of ['calls', 'calls-results']) await rm(join(world.machine.dataDir, name), { recursive: true })
  await world.machine.restart()
  await world.whenOnline(world.machine)
  const resumed = await startChild<string>('./durable-run-process.ts', { ...settings, runId })
  const { value } = await resumed.lines.next()
  expect(JSON.parse(String(value))).toEqual({ code: 'unknown', outcomes: ['unknown'] })
  await resumed.end()
})

test('an agent that works over a relay writes its runs there, unless it is told not to', async () => {
  await using world = await startWorld()
  const script = [{ calls: [{ tool: 'run_command', input: { command: 'echo one' } }] }, { text: 'Done.' }]
  using model = scriptedModel(script)
  const agent = createAgent({ machine: world.handle, model })
  const { runId } = await agent.run('Look after the disk')
  expect(await world.client.runs.get(runId)).toMatchObject({
    runId,
    machineId: world.machine.id,
    agentType: 'terminal',
    model: 'scripted:scripted',
    title: 'Look after the disk',
    state: 'completed',
    code: null,
  })
  const entries = await Array.fromAsync(world.client.runs.entries(runId))
  expect(entries.map(({ entry }) => entry.type)).toEqual([
    'run_started',
    'step_started',
    'step_ended',
    'call_started',
    'call_ended',
    'step_started',
    'step_ended',
    'run_ended',
  ])
  expect(await agent.resume(runId)).toMatchObject({ output: 'Done.', runId })
  using again = scriptedModel(script)
  await createAgent({ machine: world.handle, model: again, journal: false }).run('Quietly')
  expect((await world.client.runs.list()).items.map((run) => run.runId)).toEqual([runId])
})

test('who resumes a run takes it over from its own agent too: one goes on, and each command is executed once', async () => {
  await using world = await startWorld()
  const folder = await world.folder()
  const [file, go] = [join(folder, 'done'), join(folder, 'go')]
  const commands = [`echo one >>${file}; until [ -e ${go} ]; do sleep 0.02; done`, `echo two >>${file}`]
  // Both ask it, so it goes on from what it is shown.
  const model: ReturnType<typeof scriptedModel> = {
    ...scriptedModel([]),
    doStream: (options) => {
      const command = commands[options.prompt.filter(({ role }) => role === 'tool').length]
      const calls = command === undefined ? undefined : [{ tool: 'run_command', input: { command } }]
      return scriptedModel([calls === undefined ? { text: 'Done.' } : { calls }]).doStream(options)
    },
  }
  const agent = createAgent({ machine: world.handle, model })
  const first = agent.run('Go').catch((error: unknown) => error)
  await whenLines(file, 1)
  const runId = (await world.client.runs.list()).items[0]?.runId ?? ''
  const second = agent.resume(runId)
  const types = async () => (await Array.fromAsync(world.client.runs.entries(runId))).map(({ entry }) => entry.type)
  await waitFor('the run is resumed', async () => (await types()).includes('run_resumed'))
  await writeFile(go, '')
  expect(await second).toMatchObject({ output: 'Done.', toolCalls: [{ outcome: 'done' }, { outcome: 'done' }] })
  expect(await first).toMatchObject({ code: 'conflict' })
  expect((await types()).filter((type) => type === 'call_started' || type === 'run_ended')).toEqual([
    'call_started',
    'call_started',
    'run_ended',
  ])
  expect(await readFile(file, 'utf8')).toBe('one\ntwo\n')
})

test('a run that is stopped while the relay is away ends soon, and says of its command that nobody knows', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const mark = newMark()
  const calls = [{ tool: 'run_command', input: { command: `sleep 100 # ${mark}` } }]
  using model = scriptedModel([{ calls }])
  const machine = await world.client.machine(world.machine.id)
  const agent = createAgent({ machine, model })
  const timed = agent.run('Go', { budget: { seconds: 2 } }).catch((error: unknown) => error)
  await whenRunning(mark)
  await world.relay.kill()
  const started = performance.now()
  const error = await timed
  expect(performance.now() - started).toBeLessThan(13_000)
  expect(error).toMatchObject({ code: 'deadline', result: { toolCalls: [{ outcome: 'unknown' }] } })
})

test('entries that nothing waits for are written too, in their order', async () => {
  await using world = await startWorld()
  const memory = createMemoryJournal()
  using model = scriptedModel([{ calls: [{ tool: 'run_command', input: { command: 'echo one' } }] }, { text: 'Done.' }])
  const { runId } = await createAgent({ machine: world.handle, model, journal: memory }).run('Look')
  const journal = createRelayJournal(world.client.runs)
  const [first, ...others] = memory.entries
  const written = async () => (await Array.fromAsync(world.client.runs.entries(runId))).map(({ entry }) => entry)
  let index = 0
  const { signal } = new AbortController()
  const next = () => ({ writer: 'test', index: index++, signal })
  if (first !== undefined) await journal.append(first, next())
  await Promise.all(others.slice(0, 2).map((entry) => journal.note(entry, next())))
  expect(await written()).toEqual(memory.entries.slice(0, 3))
  for (const entry of others.slice(2, 5)) void journal.note(entry, next())
  for (const entry of others.slice(5)) await journal.append(entry, next())
  expect(await written()).toEqual(memory.entries)
})

test('a run that stopped leaves a session only where variables are in it, and finds them there', async () => {
  await using world = await startWorld()
  const away = { error: new CmdopError('model', 'away') }
  const shell = (command: string) => ({ calls: [{ tool: 'run_command', input: { command } }] })
  const stopped = async (command: string) => {
    using model = scriptedModel([shell(command), away])
    const agent = createAgent({ machine: world.handle, model, maxRetries: 0 })
    const error: unknown = await agent.run('Look').catch((reason: unknown) => reason)
    if (!(error instanceof RunError)) throw error
    return error.result.runId
  }
  const resumed = async (runId: string) => {
    using model = scriptedModel([shell('echo "$WORD in $PWD"'), { text: 'Done.' }])
    const { toolCalls } = await createAgent({ machine: world.handle, model }).resume(runId)
    return toolCalls.at(-1)?.output
  }
  const open = async () => (await world.client.sessions.list()).items.length
  const moved = await stopped('cd /usr')
  expect(await open()).toBe(0)
  expect(await resumed(moved)).toMatchObject({ stdout: ' in /usr\n' })
  const exported = await stopped('cd /usr; export WORD=kept')
  expect(await open()).toBe(1)
  expect(await resumed(exported)).toMatchObject({ stdout: 'kept in /usr\n' })
  expect(await open()).toBe(0)
})

test('what cannot be gone on with is left as it is, and a run that is played for real leaves nothing', async () => {
  await using world = await startWorld()
  const call = { tool: 'run_command', input: { command: 'export WORD=kept; true' } }
  using away = scriptedModel([{ calls: [call] }, { error: new Error('Away.') }])
  const agent = createAgent({ machine: world.handle, model: away, env: {}, maxRetries: 0 })
  const stopped = (await agent.run('Go').catch((reason: unknown) => reason)) as RunError
  const running = async () => (await world.handle.sessions.list()).map(({ sessionId }) => sessionId)
  expect(await running()).toEqual([stopped.result.sessionId])
  await expect(
    agent.resume(stopped.result.runId, { outputSchema: z.object({ word: z.string() }) }),
  ).rejects.toMatchObject({
    code: 'conflict',
  })
  expect(await running()).toEqual([stopped.result.sessionId])
  const shown = { tool: 'run_command', input: { command: 'echo "$WORD"' } }
  using back = scriptedModel([{ calls: [shown] }, { text: 'Done.' }])
  const resumed = await createAgent({ machine: world.handle, model: back, env: {} }).resume(stopped.result.runId)
  expect(resumed.toolCalls.at(-1)?.output).toMatchObject({ stdout: 'kept\n' })
  await agent.replay(resumed.runId, { commands: 'real' })
  expect(await running()).toEqual([])
})
