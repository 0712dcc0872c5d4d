import { randomUUID } from 'node:crypto'
import type { Attachment, Client } from '@cmdop/core'
import { describe, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { watch } from './watch.ts'
import { invitePerson } from './people.ts'
import { startWorld, type World } from './world.ts'

/** A session with a shell that says where its output begins and does not repeat what is typed. */
async function openQuiet(world: World, client: Client = world.client) {
  const machine = await client.machine(world.machine.id)
  const session = await machine.sessions.open({ shell: 'sh', env: { PS1: '' } })
  await using attachment = await session.attach()
  await attachment.write('stty -echo; PS1=; echo read""y\n')
  await watch(attachment).until('ready\r\n')
  return session
}

async function connectAs(world: World, kind: 'human' | 'ai', role: 'member' | 'viewer' = 'member'): Promise<Client> {
  if (kind === 'human') return (await invitePerson(world, `${role}-${randomUUID()}`, role)).client
  const { rawToken: token } = await world.client.keys.issue({ name: `${kind}-${role}`, kind, role })
  return world.connect({ token })
}

/** The same session, as another client sees it. */
async function joinAs(client: Client, world: World, sessionId: string) {
  const machine = await client.machine(world.machine.id)
  return machine.sessions.get(sessionId)
}

describe('an attachment', () => {
  test('shows the screen, then what happens, and ends with the exit code of the shell', async () => {
    await using world = await startWorld()
    const session = await world.handle.sessions.open({ shell: 'sh', name: 'work', env: { PS1: '$ ' } })
    await using attachment = await session.attach({ size: { columns: 100, rows: 30 } })
    const seen = watch(attachment)
    expect(await seen.next('snapshot')).toMatchObject({ size: { columns: 100, rows: 30 } })
    await attachment.write('echo "$((6 * 7))"; exit 7\n')
    expect(await seen.end()).toMatchObject({ state: 'ended', endReason: 'exited', exitCode: 7, signal: null })
    expect(seen.text).toContain('\r\n42\r\n')
    await expect(attachment.write('late')).rejects.toMatchObject({ code: 'session_ended' })
    expect(await Array.fromAsync(attachment)).toEqual([])
    expect(await session.info()).toMatchObject({ name: 'work', state: 'ended', exitCode: 7 })
  })

  test('ends with state running when its participant leaves, and the session goes on', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    const attachment = await session.attach()
    const events = Array.fromAsync(attachment)
    await attachment.detach()
    expect((await events).at(-1)).toMatchObject({ type: 'end', state: 'running' })
    await expect(attachment.write('x')).rejects.toMatchObject({ code: 'conflict' })
    expect(await session.info()).toMatchObject({ state: 'running', operators: 0, lease: null })
    expect(await world.handle.sessions.list()).toHaveLength(1)
    expect(await session.close()).toMatchObject({ state: 'ended', endReason: 'closed' })
    expect(await world.handle.sessions.list()).toEqual([])
    expect(await world.handle.sessions.list({ ended: true })).toHaveLength(1)
  })

  test('throws cancelled when its signal aborts, and leaves its place', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    const stop = new AbortController()
    const attachment = await session.attach({ signal: stop.signal })
    const events = Array.fromAsync(attachment)
    stop.abort()
    await expect(events).rejects.toMatchObject({ code: 'cancelled' })
    await waitFor('nobody is attached', async () => (await session.info()).operators === 0)
    await expect(session.attach({ signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('of a session that is over or was never there is refused by code', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await session.close()
    await expect(session.attach()).rejects.toMatchObject({ code: 'session_ended' })
    await expect(session.observe()).rejects.toMatchObject({ code: 'session_ended' })
    await expect(world.handle.sessions.get('call_that_was_never_made')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('goes on from an offset without a snapshot, and read gives the same bytes', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using first = await session.attach()
    const seen = watch(first)
    await first.write('seq 1 2000; echo do""ne\n')
    await seen.until('done\r\n')
    await using second = await session.attach({ offset: 0, lease: 'none' })
    const again = watch(second)
    await again.until('done\r\n')
    expect(again.events.every(({ type }) => type === 'output')).toBe(true)
    const { outputBytes } = await session.info()
    const kept = await session.read({ offset: 0, length: outputBytes })
    expect(Buffer.compare(kept.data, again.output)).toBe(0)
    expect(await session.read({ offset: 10, length: 5 })).toMatchObject({ offset: 10, data: kept.data.slice(10, 15) })
  })

  test('can be read in several loops, one after another', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using attachment = await session.attach()
    const readTo = async (text: string) => {
      let all = ''
      for await (const event of attachment) {
        if (event.type === 'output') all += Buffer.from(event.data).toString()
        if (all.includes(text)) return all
      }
      throw new Error('The session ended.')
    }
    await attachment.write('echo one\n')
    expect(await readTo('one\r\n')).toContain('one')
    await attachment.write('echo two\n')
    expect(await readTo('two\r\n')).not.toContain('one')
  })
})

describe('operators and observers', () => {
  test('one operator has the lease; input of another is refused and comes to nothing', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using first = await session.attach()
    const other = await joinAs(await connectAs(world, 'human'), world, session.id)
    await using second = await other.attach()
    expect([first.holdsLease, second.holdsLease]).toEqual([true, false])
    expect(second.lease).toMatchObject({ participantId: first.participantId, principalKind: 'human' })
    const seen = watch(second)
    await second.write('echo se""cond\n')
    expect(await seen.next('input-refused')).toMatchObject({ code: 'conflict', bytes: 14 })
    await second.takeLease()
    expect(await seen.next('input-refused')).toMatchObject({ code: 'conflict' })
    await first.write('echo fir""st\n')
    await seen.until('first\r\n')
    expect(seen.text).not.toContain('second')
  })

  test('the lease is asked for and given, and released to whoever waits', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using first = await session.attach()
    const other = await joinAs(await connectAs(world, 'human'), world, session.id)
    await using second = await other.attach()
    const [one, two] = [watch(first), watch(second)]
    await second.requestLease()
    expect(await nextLease(one, first, ({ waiting }) => waiting.length > 0)).toMatchObject({
      waiting: [{ participantId: second.participantId }],
    })
    await first.grantLease(second.participantId)
    await nextLease(two, second, ({ lease }) => lease?.participantId === second.participantId)
    expect(second.holdsLease).toBe(true)
    await first.requestLease()
    await nextLease(two, second, ({ waiting }) => waiting.length > 0)
    await second.releaseLease()
    await nextLease(one, first, ({ lease }) => lease?.participantId === first.participantId)
    expect(first.holdsLease).toBe(true)
  })

  test('a person takes the lease from an AI at once, which is told and refused from then on', async () => {
    await using world = await startWorld()
    const robot = await connectAs(world, 'ai')
    const session = await openQuiet(world, robot)
    await using ai = await session.attach()
    const seen = watch(ai)
    await using person = await (await joinAs(world.client, world, session.id)).attach({ lease: 'take' })
    expect(person.holdsLease).toBe(true)
    await nextLease(seen, ai, ({ lease }) => lease?.participantId === person.participantId)
    expect(ai.holdsLease).toBe(false)
    await ai.write('rm -rf /never\n')
    expect(await seen.next('input-refused')).toMatchObject({ code: 'permission' })
    await ai.takeLease()
    expect(await seen.next('input-refused')).toMatchObject({ code: 'conflict' })
    await person.write('echo mi""ne\n')
    await seen.until('mine\r\n')
  })

  test('an observer sees everything; what it types is refused with permission', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using operator = await session.attach()
    const viewer = await connectAs(world, 'ai', 'viewer')
    await using observer = await (await joinAs(viewer, world, session.id)).observe()
    expect(observer).toMatchObject({ mode: 'observer', holdsLease: false })
    const seen = watch(observer)
    await expect(observer.write('echo x\n')).rejects.toMatchObject({ code: 'permission' })
    await expect(observer.takeLease()).rejects.toMatchObject({ code: 'permission' })
    await operator.write('echo sho""wn\n')
    await seen.until('shown\r\n')
    await expect((await joinAs(viewer, world, session.id)).attach()).rejects.toMatchObject({ code: 'permission' })
    expect(await session.info()).toMatchObject({ operators: 1, observers: 1 })
  })

  test('the size is that of the holder of the lease, and the others are told', async () => {
    await using world = await startWorld()
    const session = await openQuiet(world)
    await using first = await session.attach({ size: { columns: 90, rows: 20 } })
    await using second = await session.attach({ size: { columns: 120, rows: 50 } })
    expect(second.size).toEqual({ columns: 90, rows: 20 })
    const seen = watch(second)
    second.resize({ columns: 121, rows: 51 })
    first.resize({ columns: 91, rows: 21 })
    expect(await seen.next('resized')).toMatchObject({ size: { columns: 91, rows: 21 } })
    await second.takeLease()
    expect(await seen.next('resized')).toMatchObject({ size: { columns: 121, rows: 51 } })
    await second.write('stty size\n')
    await seen.until('51 121\r\n')
  })
})

type LeaseEvent = Awaited<ReturnType<typeof leaseOf>>
const leaseOf = (seen: ReturnType<typeof watch>) => seen.next('lease')

/** The next news of the lease that fits; only the latest is kept for a reader that was elsewhere. */
async function nextLease(
  seen: ReturnType<typeof watch>,
  attachment: Attachment,
  fits: (event: LeaseEvent) => boolean,
): Promise<LeaseEvent> {
  for (;;) {
    const event = await leaseOf(seen)
    if (!fits(event)) continue
    expect(attachment.lease).toEqual(event.lease)
    return event
  }
}
