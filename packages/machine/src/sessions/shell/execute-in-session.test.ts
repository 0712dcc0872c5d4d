import { type Channel, SessionExecuteEnd, SessionExecuting, type SessionLease } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { type CallOptions, type SessionWorld, startSessionWorld } from '../../testing/session-world.ts'

const ai = { principalId: 'prn_ai', principalKind: 'ai', principalName: 'Helper' } as const
const person = { principalId: 'prn_person', principalKind: 'human', principalName: 'Ann' } as const

describe.concurrent('session.execute', () => {
  test('runs in the shell that everybody sees, and gives output, exit code, directory and time', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const watcher = await world.observe(sessionId, { offset: 0 })
    expect(await execute(world, { sessionId, command: 'cd /; X=1; echo one' }).end).toMatchObject({ text: 'one\r\n' })
    const { end, text } = await execute(world, { sessionId, command: 'echo $X; printf two; (exit 7)' }).end
    expect(text).toBe('1\r\ntwo')
    expect(end).toEqual({ reason: 'exited', exitCode: 7, cwd: '/', outputBytes: 6, durationMs: expect.any(Number) })
    await watcher.shows('$ echo $X; printf two; (exit 7)\r\n1\r\ntwo')
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ cwd: '/', lease: null })
  })

  test('holds the lease while a command runs, and types in nobody else’s terminal', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, { lease: 'none' }, person)
    const running = execute(world, { sessionId, command: 'read x; echo "<$x>"' }, ai)
    expect(await operator.hears('lease', isHeldBy('Helper'))).toMatchObject({ lease: { principalKind: 'ai' } })
    await running.began
    // A person takes it from an AI at once; the command goes on, and reads what the person types.
    await operator.ask({ type: 'lease-take' })
    await operator.type('hello\n')
    expect(await running.end).toMatchObject({ text: 'hello\r\n<hello>\r\n', end: { exitCode: 0 } })
    await expect(execute(world, { sessionId, command: 'true', whenBusy: 'conflict' }, ai).end).rejects.toMatchObject({
      code: 'conflict',
    })
    const waiting = execute(world, { sessionId, command: 'echo later' }, ai)
    await operator.hears('lease', (notice) => notice.waiting.some(({ name }) => name === 'Helper'))
    await operator.ask({ type: 'lease-release' })
    expect(await waiting.end).toMatchObject({ text: 'later\r\n' })
  })

  test('of who holds the lease already runs beside what that one types', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, {}, person)
    expect(operator.attached.lease).toMatchObject({ name: 'Ann' })
    expect(await execute(world, { sessionId, command: 'echo mine' }, person).end).toMatchObject({ text: 'mine\r\n' })
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ lease: { name: 'Ann' } })
  })

  test('of a person takes the lease from an AI', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, {}, ai)
    expect(operator.attached.lease).toMatchObject({ name: 'Helper' })
    expect(await execute(world, { sessionId, command: 'echo mine' }, person).end).toMatchObject({ text: 'mine\r\n' })
    await operator.hears('lease', isHeldBy('Ann'))
  })

  test('is refused with the call id of who is attached', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, {}, person)
    const observer = await world.observe(sessionId, {}, person)
    for (const callId of [operator.id, observer.id])
      await expect(execute(world, { sessionId, command: 'touch stolen' }, { ...ai, callId }).end).rejects.toMatchObject(
        { code: 'conflict' },
      )
    expect((await execute(world, { sessionId, command: 'ls' }, person).end).text).not.toContain('stolen')
  })

  test('that waits for the shell is not run when another principal takes over', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, { lease: 'none' }, person)
    const running = execute(world, { sessionId, command: 'read x' }, ai)
    await running.began
    const queued = execute(world, { sessionId, command: 'touch queued' }, ai)
    await queued.channel.accepted
    await operator.ask({ type: 'lease-take' })
    await expect(queued.end).rejects.toMatchObject({ code: 'conflict' })
    const own = execute(world, { sessionId, command: 'ls' }, person)
    await operator.type('\n')
    expect(await running.end).toMatchObject({ end: { exitCode: 0 } })
    expect((await own.end).text).not.toContain('queued')
  })

  test('is interrupted at its deadline, and when its caller cancels', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    await execute(world, { sessionId, command: 'true' }).end
    const late = execute(world, { sessionId, command: 'sleep 1001' }, { deadlineMs: 500 })
    expect((await late.end).end).toMatchObject({ reason: 'deadline', exitCode: 130 })
    const cancelled = execute(world, { sessionId, command: 'sleep 1002' })
    await cancelled.began
    await cancelled.channel.control({ type: 'cancel' })
    expect((await cancelled.end).end).toMatchObject({ reason: 'cancelled', exitCode: 130 })
    expect(await execute(world, { sessionId, command: 'echo usable' }).end).toMatchObject({ text: 'usable\r\n' })
  })

  test('waits for its turn, until its deadline at most', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, {}, person)
    await expect(
      execute(world, { sessionId, command: 'touch late' }, { ...ai, deadlineMs: 100 }).end,
    ).rejects.toMatchObject({ code: 'timeout' })
    await operator.ask({ type: 'lease-release' })
    const first = execute(world, { sessionId, command: 'sleep 1001' }, { ...person, deadlineMs: 1000 })
    await first.began
    await expect(
      execute(world, { sessionId, command: 'touch late', whenBusy: 'conflict' }, person).end,
    ).rejects.toMatchObject({ code: 'conflict' })
    await first.end
    expect((await execute(world, { sessionId, command: 'ls' }, person).end).text).not.toContain('late')
  })

  test('says that the shell ended', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    expect((await execute(world, { sessionId, command: 'exit 3' }).end).end).toMatchObject({
      reason: 'session-ended',
      exitCode: 3,
    })
    await expect(execute(world, { sessionId, command: 'true' }).end).rejects.toMatchObject({ code: 'session_ended' })
  })

  test('says that the session was closed under it', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const running = execute(world, { sessionId, command: 'sleep 1003' })
    await running.began
    await world.ask('session.close', { sessionId })
    expect((await running.end).end).toMatchObject({ reason: 'session-ended' })
  })

  test('slows neither the session nor others when its caller does not read', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const slow = execute(world, { sessionId, command: 'seq 1 2000000' }, { paused: true })
    await slow.began
    expect(await execute(world, { sessionId, command: 'echo next' }).end).toMatchObject({ text: 'next\r\n' })
    slow.resume()
    const { text, end } = await slow.end
    expect(text.length).toBe(16_888_896)
    expect(text.endsWith('1999999\r\n2000000\r\n')).toBe(true)
    expect(end).toMatchObject({ outputBytes: 16_888_896 })
  })

  test('goes on when the connection of its caller is lost', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const connection = await world.connect()
    const lost = execute(world, { sessionId, command: 'read x; echo "got $x"' }, { ...ai, connection })
    await lost.began
    await connection[Symbol.asyncDispose]()
    await lost.end.catch(() => {})
    const operator = await world.attach(sessionId, { lease: 'take', offset: 0 }, person)
    await operator.type('it\n')
    await operator.shows('got it')
  })

  test('is refused in what is no shell that we know, and in what an AI operator shows', async () => {
    await using world = await startSessionWorld()
    const cat = await world.open({ shell: '/bin/cat' })
    await expect(execute(world, { sessionId: cat.sessionId, command: 'true' }).end).rejects.toMatchObject({
      code: 'unsupported',
    })
    const run = await world.open({ kind: 'run' })
    await expect(execute(world, { sessionId: run.sessionId, command: 'true' }).end).rejects.toMatchObject({
      code: 'conflict',
    })
  })
})

interface Executed {
  readonly channel: Channel
  /** Resolves when the shell has the command. */
  readonly began: Promise<SessionExecuting>
  readonly end: Promise<{ text: string; end: SessionExecuteEnd }>
  /** Reads, if it is paused. */
  resume(): void
}

function execute(
  world: SessionWorld,
  params: { sessionId: string; command: string; whenBusy?: 'wait' | 'conflict' },
  { paused = false, ...options }: CallOptions & { paused?: boolean } = {},
): Executed {
  const channel = world.call('session.execute', params, options)
  const began = Promise.withResolvers<SessionExecuting>()
  const reading = Promise.withResolvers<void>()
  if (!paused) reading.resolve()
  channel.onControl = (message) => began.resolve(SessionExecuting.parse(message))
  const read = async () => {
    await reading.promise
    const parts: Uint8Array[] = []
    for await (const { data } of channel) parts.push(data)
    const end = SessionExecuteEnd.parse(await channel.finished)
    await channel.end()
    return { text: Buffer.concat(parts).toString('latin1'), end }
  }
  const end = read()
  end.catch(() => {})
  return { channel, began: began.promise, end, resume: reading.resolve }
}

function isHeldBy(name: string): (notice: SessionLease) => boolean {
  return ({ lease }) => lease?.name === name
}
