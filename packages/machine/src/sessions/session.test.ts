import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SessionReadEnd } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { startSessionWorld } from '../testing/session-world.ts'

describe('a session', () => {
  test('shows its shell to an operator, takes what is typed, and says how it ended', async () => {
    await using world = await startSessionWorld()
    const info = await world.open({ size: { columns: 100, rows: 30 } })
    expect(info).toMatchObject({ state: 'running', kind: 'terminal', name: 'sh', cwd: world.folder })
    const operator = await world.attach(info.sessionId)
    await operator.type('stty size; echo $TERM $LANG; exit 3\n')
    expect(await operator.end()).toMatchObject({ state: 'ended', endReason: 'exited', exitCode: 3 })
    expect(operator.text).toContain('30 100\r\nxterm-256color C.UTF-8\r\n')
  })

  test('has the shell, directory and variables that were asked for', async () => {
    await using world = await startSessionWorld({ TZ: 'UTC' })
    const info = await world.open({ shell: 'bash', cwd: '/usr', env: { ONE: '1', TZ: null }, name: 'mine' })
    expect(info).toMatchObject({ name: 'mine', cwd: '/usr' })
    expect(info.shell).toMatch(/\/bash$/)
    const operator = await world.attach(info.sessionId)
    await operator.type('echo "<$ONE|$TZ|$PWD|$CMDOP_TOKEN>"\n')
    await operator.shows('<1||/usr|>')
  })

  test('is refused for a shell or directory that is not there', async () => {
    await using world = await startSessionWorld()
    await expect(world.open({ shell: 'no-such-shell' })).rejects.toMatchObject({ code: 'command_not_found' })
    await expect(world.open({ shell: '/etc/passwd' })).rejects.toMatchObject({ code: 'command_not_found' })
    await expect(world.open({ cwd: '/no/such' })).rejects.toMatchObject({ code: 'exec_failed' })
    expect(await world.ask('session.list', { ended: true })).toEqual({ items: [] })
  })

  test('is opened once by a call, however often that is sent, and for nobody else', async () => {
    await using world = await startSessionWorld()
    const callId = 'call_the_same'
    const [first, second] = await Promise.all([world.open({}, { callId }), world.open({}, { callId })])
    expect(second.pid).toBe(first.pid)
    expect((await world.open({}, { callId })).pid).toBe(first.pid)
    await expect(world.open({}, { callId, principalId: 'prn_two' })).rejects.toMatchObject({ code: 'conflict' })
    await world.ask('session.close', { sessionId: callId })
    expect(await world.open({}, { callId })).toMatchObject({ state: 'ended' })
  })

  test('outlives who is attached, and paints the screen for who comes later', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const connection = await world.connect()
    const first = await world.attach(sessionId, { orphanMs: 0 }, { connection })
    await first.type('echo be"fo"re; sleep 0.2; echo af"te"r\n')
    await first.shows('before')
    await connection[Symbol.asyncDispose]()
    await first.over
    const second = await world.attach(sessionId)
    await second.shows('after')
    expect(second.snapshots).toHaveLength(1)
    expect(second.snapshots[0]).toMatchObject({ columns: 80, rows: 24, offset: second.attached.offset })
    expect(second.snapshots[0]?.paint).toContain('before')
  })

  test('gives its output from any offset that is kept', async () => {
    await using world = await startSessionWorld({ PS1: '' })
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, { offset: 0 })
    await operator.type('stty -echo; seq 1 400000; echo do"ne"\n')
    await operator.shows('done')
    const whole = operator.output
    for (const [offset, length] of [
      [0, 100],
      [65_530, 70_000],
      [1_000_000, 1_500_000],
      [whole.length - 5, 100],
      [whole.length + 10, 100],
    ] as const) {
      const channel = world.call('session.read', { sessionId, offset, length })
      const parts: Uint8Array[] = []
      for await (const { data } of channel) parts.push(data)
      expect(Buffer.concat(parts).equals(whole.subarray(offset, offset + length))).toBe(true)
      expect(SessionReadEnd.parse(await channel.finished)).toEqual({ offset, outputBytes: whole.length })
    }
    // Older output is in a file without a name.
    expect(await readdir(join(world.dataDir, 'sessions', 'output'))).toEqual([])
  })

  test('ends with everything in it when it is closed', async () => {
    await using world = await startSessionWorld()
    const { sessionId, pid } = await world.open()
    const operator = await world.attach(sessionId)
    await operator.type('trap "" HUP; setsid sleep 1001 & echo "left $!"; sleep 1002\n')
    await operator.shows('left ')
    await operator.until('it says the process', () => /left \d+\r/.test(operator.text))
    const left = Number(/left (\d+)\r/.exec(operator.text)?.[1])
    expect(await world.ask('session.close', { sessionId })).toMatchObject({ state: 'ended', endReason: 'closed' })
    expect(await operator.end()).toMatchObject({ state: 'ended', endReason: 'closed', signal: 'SIGKILL' })
    expect(await isGone(left)).toBe(true)
    expect(await isGone(pid ?? 0)).toBe(true)
  })

  test('that is over is known, and read, but not attached to', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, { offset: 0 })
    await operator.type('exit 7\n')
    await operator.end()
    await expect(world.attach(sessionId)).rejects.toMatchObject({ code: 'session_ended' })
    await expect(world.observe(sessionId)).rejects.toMatchObject({ code: 'session_ended' })
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ state: 'ended', exitCode: 7 })
    expect(await world.ask('session.close', { sessionId })).toMatchObject({ state: 'ended', exitCode: 7 })
    expect(await world.ask('session.list', {})).toEqual({ items: [] })
    expect(await world.ask('session.list', { ended: true })).toMatchObject({ items: [{ sessionId }] })
    const channel = world.call('session.read', { sessionId, offset: 0 })
    const parts: Uint8Array[] = []
    for await (const { data } of channel) parts.push(data)
    expect(Buffer.concat(parts).equals(operator.output)).toBe(true)
    for (const method of ['session.attach', 'session.observe', 'session.get', 'session.close'])
      await expect(world.ask(method, { sessionId: 'call_unknown' })).rejects.toMatchObject({ code: 'not_found' })
  })

  test('ends when it is idle: neither typed in nor putting out', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open({ idleTimeoutMs: 3000 })
    const operator = await world.attach(sessionId)
    await operator.type('for i in 1 2 3 4 5 6 7; do sleep 0.5; echo "$i"; done\n')
    await operator.shows('7\r\n')
    expect(await operator.end()).toMatchObject({ state: 'ended', endReason: 'idle' })
  })

  test('follows the size of the holder of the lease, and tells the others', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const holder = await world.attach(sessionId, { size: { columns: 120, rows: 50 } })
    const other = await world.attach(sessionId, { size: { columns: 40, rows: 10 } })
    expect(other.attached.size).toEqual({ columns: 120, rows: 50 })
    await other.ask({ type: 'resize', size: { columns: 41, rows: 11 } })
    await holder.ask({ type: 'resize', size: { columns: 121, rows: 51 } })
    expect(await other.hears('resized')).toEqual({ type: 'resized', size: { columns: 121, rows: 51 } })
    await holder.ask({ type: 'lease-release' })
    await other.ask({ type: 'lease-request' })
    expect((await holder.hears('resized', ({ size }) => size.columns === 41)).size).toEqual({ columns: 41, rows: 11 })
    await other.type('stty size\n')
    await other.shows('11 41')
  })

  test('lets ^C pass while its output floods and nobody reads it', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    await operator.type('yes flood\n')
    await operator.shows('flood\r\nflood')
    const resume = operator.pause()
    await operator.type('\x03')
    await operator.type('echo "do""ne"\n')
    resume()
    await operator.shows('done')
  })

  test('lets ^C pass what was pasted into a program that does not read, and says what was not taken', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    await operator.type('trap "echo stop""ped" INT; echo rea""dy; while :; do sleep 0.01; done\n')
    await operator.shows('ready')
    const pasted = operator.type('line\n'.repeat(200_000))
    const refused = await operator.hears('input-refused')
    expect(refused).toMatchObject({ code: 'input_overflow' })
    await pasted
    await operator.type('\x03')
    await operator.shows('stopped')
  })

  test('takes a long paste whole from a program that reads it', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    await operator.type('stty -echo raw; echo rea""dy; head -c 3000000 | wc -c; stty cooked; exit\n')
    await operator.shows('ready')
    await operator.type('x'.repeat(3_000_000))
    await operator.shows('3000000')
    expect(operator.notices.filter(({ type }) => type === 'input-refused')).toEqual([])
    await operator.end()
  })

  test('has room for operators, however many observe, and for observers of more than one principal', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const [two, three] = [{ principalId: 'prn_two' }, { principalId: 'prn_three' }]
    for (let count = 0; count < 64; count += 1) await world.observe(sessionId, { offset: 0 })
    await expect(world.observe(sessionId)).rejects.toMatchObject({ code: 'unavailable' })
    for (let count = 0; count < 32; count += 1) await world.observe(sessionId, { offset: 0 }, two)
    await expect(world.observe(sessionId, {}, three)).rejects.toMatchObject({ code: 'unavailable' })
    for (let count = 0; count < 32; count += 1) await world.attach(sessionId, { offset: 0 })
    await expect(world.attach(sessionId)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('is one of at most 64', async () => {
    await using world = await startSessionWorld()
    await world.open()
    await Promise.all(Array.from({ length: 63 }, () => world.open({ kind: 'run' })))
    await expect(world.open()).rejects.toMatchObject({ code: 'unavailable' })
    expect(world.sessions.size).toBe(64)
  })

  test('is recorded: what was shown, who typed how much, and never what', async () => {
    await using world = await startSessionWorld()
    const { sessionId, recordingId } = await world.open({ reason: 'to see' })
    const operator = await world.attach(sessionId)
    await operator.type('stty -echo; echo rea""dy; read secret\n')
    await operator.shows('ready')
    await operator.type('hunter2\n')
    await operator.type('echo sh""own; exit\n')
    await operator.end()
    await world.sessions.close()
    const file = join(world.folder, 'recordings', `${recordingId}.cast`)
    const recording = await readFile(file, 'utf8')
    expect(recording).toContain('shown')
    expect(recording).not.toContain('hunter2')
    expect(recording).toMatch(/"m","input: \d+ bytes by One \(human prn_one\)"/)
    expect(recording).toContain('"m","lease: One (human prn_one)"')
  })
})

async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  return stat === undefined || /\) Z /.test(stat)
}
