import { ExecuteError, ExecuteResult } from '@cmdop/core'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { newMark, whenRunning } from './marked.ts'
import { watch } from './watch.ts'
import { startWorld } from './world.ts'

// What the shells of this machine's user do at their start is no part of these tests.
let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
  vi.stubEnv('HOME', home)
  vi.stubEnv('SHELL', '/bin/bash')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

const code = (expected: string) => expect.objectContaining({ code: expected }) as Error

describe('client.terminal', () => {
  test('runs commands as the product’s page shows it, in one session after another', async () => {
    await using world = await startWorld({ machines: 2 })
    const { client } = world
    const session = await client.terminal.getActiveSession('machine-0')
    const [output, exitCode] = await client.terminal.execute('echo on $((40 + 2)); cd /usr')
    expectTypeOf(output).toEqualTypeOf<string>()
    expectTypeOf(exitCode).toEqualTypeOf<number | null>()
    expect([output, exitCode]).toEqual(['on 42\n', 0])
    expect(await client.terminal.execute('pwd; false')).toMatchObject({ output: '/usr\n', exitCode: 1, cwd: '/usr' })
    expect((await client.terminal.getActiveSession()).id).toBe(session.id)
    await client.terminal.setMachine('machine-1')
    expect(client.terminal.machine?.name).toBe('machine-1')
    expect(await client.terminal.execute('pwd')).not.toMatchObject({ output: '/usr\n' })
    expect((await client.terminal.list())[0]?.sessionId).not.toBe(session.id)
  })

  test('without a machine every call is an error that says what to do', async () => {
    await using world = await startWorld({ machines: 0 })
    const { terminal } = world.client
    const unset = { code: 'config', message: expect.stringContaining('setMachine') as string }
    for (const call of [
      () => terminal.execute('true'),
      () => terminal.getActiveSession(),
      () => terminal.stream(),
      () => terminal.list(),
      () => terminal.create(),
      () => terminal.attach('call_of_nothing'),
    ]) {
      await expect(call()).rejects.toMatchObject(unset)
    }
    await expect(terminal.setMachine('nowhere')).rejects.toMatchObject({ code: 'not_found' })
    expect(terminal.machine).toBeUndefined()
  })

  test('does not become another machine while a call is not settled', async () => {
    await using world = await startWorld({ machines: 2 })
    const { terminal } = world.client
    await terminal.getActiveSession('machine-0')
    const mark = newMark()
    const running = terminal.execute(`sh -c 'read line; echo "got $line"' ${mark}`)
    await whenRunning(mark)
    await expect(terminal.setMachine('machine-1')).rejects.toThrow(code('conflict'))
    await expect(terminal.getActiveSession('machine-1')).rejects.toThrow(code('conflict'))
    // The same one by another name is no change.
    await terminal.setMachine(world.machine.id)
    await using typing = await terminal.stream({ lease: 'take' })
    await typing.write('typed\n')
    expect((await running).output).toContain('got typed')
    await terminal.setMachine('machine-1')
    expect(terminal.machine?.name).toBe('machine-1')
  })

  test('of two machines that are set at once one is refused', async () => {
    await using world = await startWorld({ machines: 2 })
    const { terminal } = world.client
    const both = await Promise.allSettled([terminal.setMachine('machine-0'), terminal.setMachine('machine-1')])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } })
  })

  test('the active session is the newest that the same principal opened, for another client of theirs too', async () => {
    await using world = await startWorld()
    const { rawToken: token } = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
    const robot = world.connect({ token })
    await robot.terminal.getActiveSession(world.machine.name)
    await world.client.terminal.setMachine(world.machine.name)
    await world.client.terminal.create({ shell: 'sh' })
    const newer = await world.client.terminal.create({ shell: 'sh', name: 'newer' })
    const again = world.connect().terminal
    expect((await again.getActiveSession(world.machine.name)).id).toBe(newer.id)
    const two = await Promise.all([robot.terminal.getActiveSession(), robot.terminal.getActiveSession()])
    expect(two[0]?.id).toBe(two[1]?.id)
    expect(await again.list()).toHaveLength(3)
  })

  test('after its session has ended says so once, and then has another one', async () => {
    await using world = await startWorld()
    const { terminal } = world.client
    const first = await terminal.getActiveSession(world.machine.name)
    await expect(terminal.execute('exit 3')).rejects.toThrow(code('session_ended'))
    expect(await terminal.execute('echo again')).toMatchObject({ output: 'again\n' })
    expect((await terminal.getActiveSession()).id).not.toBe(first.id)
  })

  test('an observer’s stream opens nothing, and sees the session of another', async () => {
    await using world = await startWorld()
    const { rawToken: token } = await world.client.keys.issue({ name: 'viewer', kind: 'ai', role: 'viewer' })
    const viewer = world.connect({ token }).terminal
    await viewer.setMachine(world.machine.name)
    await expect(viewer.stream({ mode: 'observer' })).rejects.toThrow(code('not_found'))
    const { terminal } = world.client
    await terminal.setMachine(world.machine.name)
    await using operator = await terminal.stream()
    await using stream = await viewer.stream({ mode: 'observer' })
    await operator.write('echo se""en\n')
    await watch(stream).until('seen\r\n')
    await expect(stream.write('x')).rejects.toThrow(code('permission'))
    await expect(viewer.execute('true')).rejects.toThrow(code('permission'))
    await using other = await viewer.attach(operator.sessionId, { mode: 'observer' })
    expect(other.sessionId).toBe(operator.sessionId)
  })
})

describe('session.execute', () => {
  test('gives text with plain line ends, the exact bytes, and takes its chunks as they come', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'bash' })
    const result = await session.execute(String.raw`printf 'a\nb\n'; export WORD=carried`)
    expect(result).toBeInstanceOf(ExecuteResult)
    expect(result).toMatchObject({ output: 'a\nb\n', exitCode: 0, truncated: false, outputBytes: 6 })
    expect(Buffer.from(result.outputData).toString()).toBe('a\r\nb\r\n')
    expect([...result]).toEqual(['a\nb\n', 0])
    const command = session.execute('echo $WORD; (exit 5)')
    const chunks: Uint8Array[] = []
    for await (const { data } of command) chunks.push(data)
    expect(Buffer.concat(chunks).toString()).toBe('carried\r\n')
    expect(await command.exit).toMatchObject({ exitCode: 5 })
    await expect(command).rejects.toThrow(code('conflict'))
  })

  test('keeps head and tail of long output', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'bash' })
    const result = await session.execute('seq 1 100000', { maxOutputBytes: 2000 })
    expect(result).toMatchObject({ truncated: true, outputBytes: 688_895 })
    expect(result.outputData.length).toBe(2000)
    expect(result.output.startsWith('1\n2\n')).toBe(true)
    expect(result.output.endsWith('99999\n100000\n')).toBe(true)
  })

  test('a deadline interrupts the command, says what was put out, and leaves the session usable', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'bash' })
    await session.execute('cd /usr')
    const error: unknown = await session.execute('echo begun; sleep 300', { timeoutMs: 700 }).then(undefined, (e) => e)
    expect(error).toBeInstanceOf(ExecuteError)
    expect(error).toMatchObject({ code: 'deadline', result: { output: expect.stringMatching(/^begun\n/) as string } })
    expect(await session.execute('pwd')).toMatchObject({ output: '/usr\n', exitCode: 0 })
  })

  test('a signal cancels the command and leaves the session usable', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'bash' })
    const stop = new AbortController()
    const mark = newMark()
    const running = session.execute(`sh -c 'sleep 300; true' ${mark}`, { signal: stop.signal })
    const ended = expect(running).rejects.toThrow(code('cancelled'))
    await whenRunning(mark)
    stop.abort()
    await ended
    expect(await session.execute('echo fine')).toMatchObject({ output: 'fine\n', exitCode: 0 })
    await expect(session.execute('true', { signal: stop.signal })).rejects.toThrow(code('cancelled'))
  })

  test('of two at once the second waits, or fails with conflict, as asked', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'bash' })
    const mark = newMark()
    const file = `${home}/${mark}`
    const first = session.execute(`sh -c 'until [ -e "$0" ]; do sleep 0.02; done; echo one' ${file}`)
    first.then(undefined, () => {})
    await whenRunning(mark)
    await expect(session.execute('echo two', { whenBusy: 'conflict' })).rejects.toThrow(code('conflict'))
    const second = session.execute('echo two')
    await world.handle.files.write(file, '')
    const [one, two] = await Promise.all([first, second])
    expect([one.output, two.output]).toEqual(['one\n', 'two\n'])
  })
})
