import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { expect, test } from 'vitest'
import { newMark, whenRunning } from './marked.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const shell = (command: string) => ({ calls: [{ tool: 'run_command', input: { command } }] })
const argv = (...command: string[]) => ({ calls: [{ tool: 'run_command', input: { command } }] })
/** Waits until the file is there. */
const waiting = (mark: string) => `until [ -e /tmp/${mark} ]; do sleep 0.02; done; rm /tmp/${mark}`
const release = (world: World, mark: string) => world.handle.exec(['touch', `/tmp/${mark}`])

/** The session of the run. */
async function runSession(world: World) {
  const { sessionId } = await waitFor('the run has a session', async () =>
    (await world.handle.sessions.list()).find(({ kind }) => kind === 'run'),
  )
  return world.handle.sessions.get(sessionId)
}

test('a person sees what an operator runs as it runs, and the result names session and recording', async () => {
  await using world = await startWorld()
  const mark = newMark()
  using model = scriptedModel([
    shell(`echo begun; ${waiting(mark)}; echo ended`),
    argv('echo', 'by argv'),
    { text: 'Done.' },
  ])
  const running = createAgent({ machine: world.handle, model }).run('Look after the disk')
  await whenRunning(mark)
  const session = await runSession(world)
  await using person = await session.observe()
  const seen = watch(person)
  await seen.until('begun')
  await release(world, mark)
  await seen.until('ended')
  await seen.until('by argv')
  const result = await running
  expect(await seen.end()).toMatchObject({ endReason: 'closed' })
  expect(result).toMatchObject({ sessionId: session.id, recordingId: session.recordingId })
  expect(result.recordingId).not.toBeNull()
  expect(await session.info()).toMatchObject({
    kind: 'run',
    state: 'ended',
    name: expect.stringMatching(/^run /) as string,
  })
})

test('the directory and what a shell string exports carry over to the next command', async () => {
  await using world = await startWorld()
  using model = scriptedModel([
    shell('cd /usr; export WORD=carried'),
    shell('echo "$WORD in $PWD"'),
    argv('pwd'),
    { text: 'Done.' },
  ])
  const { toolCalls } = await createAgent({ machine: world.handle, model }).run('Go')
  expect(toolCalls.map(({ output }) => output)).toMatchObject([
    { exitCode: 0, stderr: '' },
    { stdout: 'carried in /usr\n' },
    { stdout: '/usr\n' },
  ])
})

test('a directory that is gone fails one command, and not those after it', async () => {
  await using world = await startWorld()
  const folder = await world.folder()
  const leave = shell(`cd ${folder} && mkdir gone && cd gone && rmdir ../gone`)
  using model = scriptedModel([leave, argv('pwd'), argv('pwd'), { text: 'Done.' }])
  const { toolCalls } = await createAgent({ machine: world.handle, model }).run('Go')
  expect(toolCalls.map(({ isError }) => isError)).toEqual([false, true, false])
})

test('a run without a command opens no session', async () => {
  await using world = await startWorld()
  using model = scriptedModel([{ text: 'Hello.' }])
  expect(await createAgent({ machine: world.handle, model }).run('Greet')).toMatchObject({
    sessionId: null,
    recordingId: null,
  })
  expect(await world.handle.sessions.list({ ended: true })).toEqual([])
})

test('who takes over gets a shell that stays, and the run goes on beside it', async () => {
  await using world = await startWorld()
  const { rawToken: token } = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
  const robot = await world.connect({ token }).machine(world.machine.id)
  const mark = newMark()
  using model = scriptedModel([shell(waiting(mark)), { text: 'Done.' }])
  const running = createAgent({ machine: robot, model }).run('Wait')
  await whenRunning(mark)
  const session = await runSession(world)
  await using person = await session.attach({ lease: 'take' })
  await person.write('echo he""re\n')
  const seen = watch(person)
  await seen.until('here')
  await release(world, mark)
  expect(await running).toMatchObject({ status: 'completed', sessionId: session.id })
  await person.write('echo st""ill\n')
  await seen.until('still')
  expect(await session.info()).toMatchObject({ state: 'running' })
})

test('who closes the session of a run stops it', async () => {
  await using world = await startWorld()
  const mark = newMark()
  using model = scriptedModel([shell(waiting(mark)), shell('echo never')])
  const running = createAgent({ machine: world.handle, model }).run('Wait')
  const ended = expect(running).rejects.toMatchObject({ code: 'session_ended', result: { status: 'failed' } })
  await whenRunning(mark)
  await (await runSession(world)).close()
  await release(world, mark)
  await ended
})
