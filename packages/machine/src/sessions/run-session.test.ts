import type { Channel } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { type CallOptions, type SessionWorld, startSessionWorld } from '../testing/session-world.ts'

const ai = { principalId: 'prn_ai', principalKind: 'ai', principalName: 'Robot' } as const
const ada = { principalId: 'prn_ada', principalKind: 'human', principalName: 'Ada' } as const

describe('a session of kind run', () => {
  test('shows what its creator executes, with its exit code where that is not 0', async () => {
    await using world = await startSessionWorld()
    const { sessionId, shell } = await world.open({ kind: 'run' }, ai)
    expect(shell).toBeNull()
    const person = await world.attach(sessionId, { offset: 0 }, ada)
    expect(person.attached.lease).toBeNull()
    await execute(world, { command: ['printf', 'a b\\nc'], showIn: sessionId }, ai)
    await execute(world, { command: 'echo one\necho two >&2; exit 3', showIn: sessionId }, ai)
    await person.shows('[exit code 3]')
    expect(plain(person.text)).toBe(
      "$ printf 'a b\\nc'\r\na b\r\nc\r\n$ echo one\r\necho two >&2; exit 3\r\none\r\ntwo\r\n[exit code 3]\r\n",
    )
  })

  test('shows nothing of others, and is not found by them', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open({ kind: 'run' }, ai)
    const terminal = await world.open({}, ai)
    const params = { command: 'touch ran', showIn: sessionId }
    await expect(execute(world, params, ada)).rejects.toMatchObject({ code: 'not_found' })
    await expect(execute(world, { ...params, showIn: terminal.sessionId }, ai)).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(execute(world, { ...params, showIn: 'call_unknown' }, ai)).rejects.toMatchObject({ code: 'not_found' })
    await world.ask('session.close', { sessionId })
    await expect(execute(world, params, ai)).rejects.toMatchObject({ code: 'not_found' })
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ outputBytes: 0 })
  })

  test('shows the first MiB of a command, which is not slowed by whoever watches', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open({ kind: 'run' }, ai)
    const stuck = await world.attach(sessionId, { offset: 0 }, ada)
    const resume = stuck.pause()
    await execute(world, { command: 'seq 1 1000000', showIn: sessionId }, ai)
    resume()
    await stuck.shows('bytes more are not shown')
    expect(stuck.bytes).toBeLessThan(1_400_000)
  })

  test('gets a shell where the last command ran when a person types, and goes on when that exits', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open({ kind: 'run', shell: 'sh' }, ai)
    await execute(world, { command: 'echo hello', cwd: '/usr', showIn: sessionId }, ai)
    const robot = await world.attach(sessionId, {}, ai)
    await robot.type('echo mine\n')
    expect(await robot.hears('input-refused')).toMatchObject({ code: 'conflict', bytes: 10 })
    const person = await world.attach(sessionId, {}, ada)
    await person.type('echo "in $PWD"\n')
    await person.shows('in /usr')
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ kind: 'run', shell: expect.any(String) })
    await person.type('exit\n')
    await person.until('the shell is gone', () => person.text.endsWith('\x1b[m\r\n'))
    await execute(world, { command: 'echo again', showIn: sessionId }, ai)
    await person.shows('magain\r\n')
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ state: 'running', shell: null })
  })
})

async function execute(world: SessionWorld, params: Record<string, unknown>, options: CallOptions): Promise<unknown> {
  const channel: Channel = world.call('exec', params, options)
  channel.onControl = () => {}
  await channel.accepted
  for await (const _ of channel);
  const end = await channel.finished
  await channel.end()
  return end
}

/** Without attributes. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the sequences
  return text.replaceAll(/\x1b\[[\d;?]*[mh]/g, '')
}
