import type { Client, MachineEvent } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

type Seen = MachineEvent & { id: string }

/** Everything that a client is told, until the scope ends. */
function follow(client: Client, lastEventId?: string) {
  const over = new AbortController()
  const events = client.machines.watch({ signal: over.signal, ...(lastEventId === undefined ? {} : { lastEventId }) })
  const next = async (fits: (event: Seen) => boolean): Promise<Seen> => {
    for (;;) {
      const { value, done } = await events.next()
      if (done === true || value === undefined) throw new Error('The events ended.')
      if (fits(value)) return value
    }
  }
  return {
    next,
    change: (name: string, machineId?: string) =>
      next(
        (event) =>
          event.type === 'change' &&
          event.change === name &&
          (machineId === undefined || event.machine.id === machineId),
      ),
    /** What is not about being reached, which depends on how busy this computer is. */
    news: () => next((event) => event.type === 'snapshot' || !['online', 'suspect', 'offline'].includes(event.change)),
    all: () => next((event) => event.type === 'snapshot' && event.last),
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await events.return(undefined)
    },
  }
}

describe('who watches machines', () => {
  test('sees all of them first, and then each change with how the machine is by then', async () => {
    const { client, machine } = world
    await using watch = follow(client)
    const snapshot = await watch.all()
    expect(snapshot).toMatchObject({ first: true, machines: [{ id: machine.id, presence: 'online' }] })
    await client.machines.update(machine.id, { name: 'other' })
    expect(await watch.change('renamed')).toMatchObject({ machine: { id: machine.id, name: 'other' } })
    await client.machines.label(machine.id, { role: 'web' })
    expect(await watch.change('labels')).toMatchObject({ machine: { labels: { role: 'web' } } })
    const added = await world.addMachine('added')
    expect(await watch.change('enrolled', added.id)).toMatchObject({ machine: { name: 'added' } })
    await watch.change('online', added.id)
    await added.close()
    await watch.change('suspect', added.id)
    await client.machines.disable(added.id)
    expect(await watch.change('disabled', added.id)).toMatchObject({ machine: { disabledAt: expect.any(String) } })
    await client.machines.enable(added.id)
    await watch.change('enabled', added.id)
    await client.machines.update(machine.id, { name: machine.name })
  })

  test('misses nothing and is told nothing twice, when he comes back with the id of the last event', async () => {
    const { client, machine } = world
    let last = ''
    {
      await using watch = follow(client)
      await watch.all()
      // Each is told before the next: what changes between two looks of the relay is one event.
      const label = async (step: string) => {
        await client.machines.label(machine.id, { step })
        return (await watch.change('labels')).id
      }
      last = await label('0')
      for (const step of ['1', '2', '3']) await label(step)
    }
    await using again = follow(client, last)
    for (const step of ['1', '2', '3'])
      expect(await again.news()).toMatchObject({ change: 'labels', machine: { labels: { step } } })
    await using anew = follow(client, '00000000.5')
    expect(await anew.news()).toMatchObject({ type: 'snapshot', first: true })
    const wrong = client.machines.watch({ lastEventId: 'nonsense' })
    await expect(wrong.next()).rejects.toMatchObject({ code: 'validation' })
  })

  test('sees only machines that his key is for, and nothing any more once it is revoked', async () => {
    const { client, machine } = world
    const scopes = [{ actions: ['machine.list'], machines: { names: [machine.name] } }]
    const issued = await client.keys.issue({ name: 'one', kind: 'service', role: 'viewer', scopes })
    const limited = world.connect({ token: issued.rawToken })
    const hidden = await world.addMachine('hidden')
    await using watch = follow(limited)
    const all = await watch.all()
    expect(all.type === 'snapshot' && all.machines.map(({ id }) => id)).toEqual([machine.id])
    await client.machines.label(hidden.id, { secret: 'yes' })
    await client.machines.label(machine.id, { seen: 'yes' })
    expect(await watch.news()).toMatchObject({ change: 'labels', machine: { id: machine.id } })
    // It gets a name that the key is not for, and the one that it is for again.
    await client.machines.update(machine.id, { name: 'elsewhere' })
    const gone = { change: 'detached', machine: { id: machine.id, name: machine.name } }
    expect(await watch.news()).toMatchObject(gone)
    await client.machines.update(machine.id, { name: machine.name })
    expect(await watch.news()).toMatchObject({ change: 'attached', machine: { name: machine.name } })
    await client.keys.revoke(issued.id)
    await expect(watch.news()).rejects.toMatchObject({ code: 'auth' })
  })

  test('is told once, with the newest state, of what changes while nobody looks', async () => {
    const { client, machine } = world
    await using watch = follow(client)
    await watch.all()
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => client.machines.label(machine.id, { [`at-once-${index}`]: 'yes' })),
    )
    await client.machines.label(machine.id, { at: 'last' })
    let events = 0
    for (let isLast = false; !isLast; events += 1) {
      const event = await watch.change('labels', machine.id)
      isLast = event.type === 'change' && event.machine.labels['at'] === 'last'
    }
    expect(events).toBeLessThanOrEqual(21)
  })

  test('is told that a machine has gone to another fleet, of which he hears nothing, and that it came back', async () => {
    const { client, machine } = world
    const { id: fleetId } = await client.fleets.create({ name: 'Other', slug: 'other' })
    const { fleetId: home } = await client.me()
    await using watch = follow(client)
    await watch.all()
    await client.fleets.machines.attach(machine.id, { fleetId })
    const gone = await watch.change('detached', machine.id)
    expect(gone).toMatchObject({ machine: { fleetId: home } })
    expect(JSON.stringify(gone)).not.toContain(fleetId)
    await client.fleets.machines.detach(machine.id, { fleetId })
    expect(await watch.change('attached', machine.id)).toMatchObject({ machine: { fleetId: home } })
  })
})
