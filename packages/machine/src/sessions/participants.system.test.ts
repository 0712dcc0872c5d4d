import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_DATA_BYTES } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { startSessionWorld } from '../testing/session-world.ts'

const ai = { principalId: 'prn_ai', principalKind: 'ai', principalName: 'Robot' } as const
const ada = { principalId: 'prn_ada', principalKind: 'human', principalName: 'Ada' } as const
const bob = { principalId: 'prn_bob', principalKind: 'human', principalName: 'Bob' } as const

describe('the lease of a session', () => {
  test('is with the first operator; the input of another one is refused, and said so', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const first = await world.attach(sessionId, {}, ada)
    expect(first.attached.lease).toMatchObject({ participantId: first.id, name: 'Ada', principalKind: 'human' })
    const second = await world.attach(sessionId, {}, bob)
    expect(second.attached.lease).toMatchObject({ name: 'Ada' })
    await second.type('echo from bob\n')
    expect(await second.hears('input-refused')).toMatchObject({ code: 'conflict', bytes: 14 })
    await first.type('echo "from" ada\n')
    await second.shows('from ada')
    expect(first.text).not.toContain('bob')
  })

  test('is taken by a person from an AI at once, not back, and not from another person', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const robot = await world.attach(sessionId, {}, ai)
    const person = await world.attach(sessionId, { lease: 'take' }, ada)
    expect(person.attached.lease).toMatchObject({ name: 'Ada' })
    expect(await robot.hears('lease')).toMatchObject({ lease: { name: 'Ada' }, waiting: [] })
    await robot.type('echo mine\n')
    expect(await robot.hears('input-refused')).toMatchObject({ code: 'permission', bytes: 10 })
    await robot.ask({ type: 'lease-take' })
    expect(await robot.hears('input-refused', ({ bytes }) => bytes === 0)).toMatchObject({ code: 'conflict' })
    const other = await world.attach(sessionId, { lease: 'take' }, bob)
    expect(await other.hears('input-refused')).toMatchObject({ code: 'conflict', bytes: 0 })
    expect(other.attached.lease).toMatchObject({ name: 'Ada' })
  })

  test('that is taken over leaves nothing of what the AI typed and no program has read', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const robot = await world.attach(sessionId, {}, ai)
    await robot.type('stty -echo; echo rea""dy; until [ -e go ]; do sleep 0.02; done; echo "<$(wc -c)>"\n')
    await robot.shows('ready')
    const pasted = robot.type('line\n'.repeat(200_000))
    await robot.hears('input-refused', ({ code }) => code === 'input_overflow')
    const { participants } = await world.sessions.find(sessionId)
    const person = await world.attach(sessionId, { lease: 'take' }, ada)
    expect(participants.lease.holder).toMatchObject({ name: 'Ada' })
    await writeFile(join(world.folder, 'go'), '')
    await person.type('\n\x04')
    await person.until('it says the count', () => /<\d+>/.test(person.text))
    expect(Number(/<(\d+)>/.exec(person.text)?.[1])).toBeLessThan(150_000)
    await pasted
  })

  test('is requested, granted, released, and passed on when its holder leaves', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const first = await world.attach(sessionId, {}, ada)
    const second = await world.attach(sessionId, {}, bob)
    await second.ask({ type: 'lease-request' })
    const asked = await first.hears('lease', ({ waiting }) => waiting.length > 0)
    expect(asked.waiting).toEqual([{ participantId: second.id, name: 'Bob' }])
    await first.ask({ type: 'lease-grant', participantId: second.id })
    expect(await second.hears('lease', ({ lease }) => lease?.name === 'Bob')).toMatchObject({ waiting: [] })
    await second.ask({ type: 'lease-release' })
    await first.hears('lease', ({ lease }) => lease === null)
    await first.ask({ type: 'lease-grant', participantId: second.id })
    expect(await first.hears('input-refused')).toMatchObject({ code: 'conflict', bytes: 0 })
    // Whoever types while nobody has it takes it.
    await second.type('\n')
    await first.hears('lease', ({ lease }) => lease?.participantId === second.id)
    await first.ask({ type: 'lease-request' })
    await second.hears('lease', ({ waiting }) => waiting[0]?.participantId === first.id)
    await second.channel.end()
    const since = (await first.hears('lease', ({ lease }) => lease?.participantId === first.id)).lease?.since
    expect(Date.parse(since ?? '')).toBeLessThanOrEqual(Date.now())
  })

  test('is not asked for with `none`, and an unknown operator is not given it', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, { lease: 'none' })
    expect(operator.attached.lease).toBeNull()
    await operator.ask({ type: 'lease-request' })
    await operator.hears('lease', ({ lease }) => lease?.participantId === operator.id)
    await operator.ask({ type: 'lease-grant', participantId: 'nobody' })
    expect(await operator.hears('input-refused')).toMatchObject({ code: 'not_found' })
  })
})

describe('an operator', () => {
  test('goes on where it was when its connection is lost, with its lease, without a byte twice or missing', async () => {
    await using world = await startSessionWorld({ PS1: '' })
    const { sessionId } = await world.open()
    const callId = 'call_goes_on'
    const lost = await world.connect()
    const first = await world.attach(sessionId, { offset: 0 }, { callId, connection: lost })
    await first.type('stty -echo; echo rea""dy; cat\n')
    await first.shows('ready')
    await lost[Symbol.asyncDispose]()
    await first.over
    const watcher = await world.attach(sessionId, {}, bob)
    expect(watcher.attached.lease).toMatchObject({ participantId: callId })
    const second = await world.attach(sessionId, { offset: first.bytes }, { callId })
    expect(second.attached).toMatchObject({ resumed: true, inputOffset: 30, offset: first.bytes })
    expect(second.snapshots).toEqual([])
    await second.type('more\n\x04exit\n')
    await second.end()
    await watcher.end()
    const whole = world.call('session.read', { sessionId, offset: 0 })
    const parts: Uint8Array[] = []
    for await (const { data } of whole) parts.push(data)
    expect(`${first.text}${second.text}`).toBe(Buffer.concat(parts).toString())
  })

  test('that held the lease comes back with the size that its terminal has now', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const callId = 'call_resized'
    const lost = await world.connect()
    const first = await world.attach(sessionId, { size: { columns: 90, rows: 30 } }, { callId, connection: lost })
    await lost[Symbol.asyncDispose]()
    await first.over
    const second = await world.attach(sessionId, { size: { columns: 91, rows: 31 } }, { callId })
    expect(second.attached).toMatchObject({ resumed: true, size: { columns: 91, rows: 31 } })
    await second.type('stty size\n')
    await second.shows('31 91')
  })

  test('that is lost leaves the lease to another client of the same person, as if nobody had it', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const lost = await world.connect()
    await world.attach(sessionId, {}, { ...ada, connection: lost })
    await lost[Symbol.asyncDispose]()
    const other = await world.attach(sessionId, {}, bob)
    expect(other.attached.lease).toMatchObject({ name: 'Ada' })
    const next = await world.attach(sessionId, {}, ada)
    expect(next.attached.lease).toMatchObject({ participantId: next.id })
  })

  test('loses place and lease when it does not come back in its time', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const lost = await world.connect()
    await world.attach(sessionId, { orphanMs: 50 }, { callId: 'call_lost_one', connection: lost })
    const watcher = await world.attach(sessionId, {}, bob)
    await lost[Symbol.asyncDispose]()
    await watcher.hears('lease', ({ lease }) => lease === null)
    const back = await world.attach(sessionId, { offset: 0 }, { callId: 'call_lost_one' })
    expect(back.attached).toMatchObject({ resumed: false, inputOffset: 0 })
  })

  test('that leaves gives up its place at once, and the session goes on', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    const watcher = await world.attach(sessionId)
    await operator.channel.end()
    await operator.over
    expect(await operator.channel.finished).toBeUndefined()
    await watcher.hears('lease', ({ lease }) => lease === null)
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ state: 'running', operators: 1 })
  })

  test('is taken over by another connection of its own, and by nobody else', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const callId = 'call_taken_over'
    const first = await world.attach(sessionId, {}, { callId })
    await expect(world.attach(sessionId, {}, { callId, ...bob })).rejects.toMatchObject({ code: 'conflict' })
    const second = await world.attach(sessionId, { offset: 0 }, { callId })
    expect(second.attached.resumed).toBe(true)
    await expect(first.end()).rejects.toMatchObject({ code: 'conflict' })
  })

  test('that does not read slows the program, and then gets every byte', async () => {
    await using world = await startSessionWorld({ PS1: '' })
    const { sessionId } = await world.open()
    const slow = await world.attach(sessionId, { offset: 0 })
    await slow.type('stty -echo; seq 1 1000000; exit\n')
    await slow.until('some has come', () => slow.bytes > 20_000)
    const resume = slow.pause()
    const quick = await world.attach(sessionId, { offset: 0 })
    resume()
    await slow.end()
    await quick.end()
    expect(slow.text.slice(slow.text.indexOf('1\r\n2\r\n'))).toBe(seq(1_000_000))
    expect(quick.output.equals(slow.output)).toBe(true)
  })

  test('is refused frames over their limit', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    await operator.type('x'.repeat(4 * MAX_DATA_BYTES))
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ operators: 1 })
  })
})

describe('an observer', () => {
  test('sees everything that is shown, and who may type', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId, {}, ada)
    await operator.type('echo fi"rs"t\n')
    await operator.shows('first')
    const observer = await world.observe(sessionId, {}, bob)
    expect(observer.attached).toMatchObject({ mode: 'observer', lease: { name: 'Ada' } })
    await observer.shows('first')
    expect(observer.snapshots.map(({ paint }) => paint)).toEqual([expect.stringContaining('first')])
    await operator.type('echo se"co"nd\n')
    await observer.shows('second')
    await operator.ask({ type: 'lease-release' })
    await observer.hears('lease', ({ lease }) => lease === null)
    await operator.type('exit 4\n')
    expect(await observer.end()).toMatchObject({ state: 'ended', exitCode: 4 })
  })

  test('that types is refused by the machine, and the session goes on', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const observer = await world.observe(sessionId)
    await observer.type('echo typed\n')
    await expect(observer.end()).rejects.toMatchObject({ code: 'permission' })
    const operator = await world.attach(sessionId, { offset: 0 })
    await operator.type('echo "al"ive\n')
    await operator.shows('alive')
    expect(operator.text).not.toContain('typed')
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ observers: 0 })
  })

  test('that does not read gets the screen instead of what it missed, while the operator gets every byte', async () => {
    await using world = await startSessionWorld({ PS1: '' })
    const { sessionId } = await world.open()
    const stuck = await world.observe(sessionId)
    const operator = await world.attach(sessionId, { offset: 0 })
    await operator.type('stty -echo; seq 1 1000000; read x; echo la""st; exit\n')
    await stuck.shows('stty')
    const resume = stuck.pause()
    await operator.shows('\r\n1000000\r\n')
    expect(operator.text.slice(operator.text.indexOf('1\r\n2\r\n'))).toBe(seq(1_000_000))
    resume()
    await operator.type('\n')
    await operator.end()
    await stuck.end()
    expect(stuck.snapshots.length).toBeGreaterThan(1)
    expect(stuck.bytes).toBeLessThan(3_000_000)
    expect(stuck.offset).toBe(operator.offset)
    await stuck.shows('last')
  })
})

function seq(last: number): string {
  let text = ''
  for (let number = 1; number <= last; number += 1) text += `${number}\r\n`
  return text
}
