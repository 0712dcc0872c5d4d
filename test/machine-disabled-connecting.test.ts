import { type Bus, createMemoryBus } from '@cmdop/relay'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'
import { waitFor } from './wait-for.ts'

/** A bus on which a machine is claimed only when a test lets it. */
function createSlowBus() {
  const bus = createMemoryBus()
  let next: { taken: () => void; goOn: Promise<void> } | undefined
  const claim: Bus['claim'] = async (machineId, owner) => {
    const held = next
    next = undefined
    held?.taken()
    await held?.goOn
    await bus.claim(machineId, owner)
  }
  /** What is said of machines meanwhile is heard by nobody, as what was said before the machine was attached. */
  const publish: Bus['publish'] = async (message) => {
    if (!isDeaf || (message.type !== 'machine-changed' && message.type !== 'fleet-disabled')) await bus.publish(message)
  }
  let isDeaf = false
  const holdNext = () => {
    const [taken, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    next = { taken: taken.resolve, goOn: goOn.promise }
    return { taken: taken.promise, goOn: goOn.resolve }
  }
  return { bus: { ...bus, claim, publish } satisfies Bus, holdNext, deaf: (is: boolean) => (isDeaf = is) }
}

const { bus, holdNext, deaf } = createSlowBus()
let world: World
beforeAll(async () => {
  world = await startWorld({ ports: { bus } })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await bus[Symbol.asyncDispose]()
})

/** Does something just when the machine connects, of which the relay is told nothing. */
async function whileConnecting(work: () => Promise<unknown>): Promise<void> {
  const { machine } = world
  const claim = holdNext()
  await machine.close()
  const restarted = machine.restart()
  await claim.taken
  deaf(true)
  await work()
  deaf(false)
  claim.goOn()
  await restarted
}

test('a machine that is disabled while it connects does not stay connected', async () => {
  const { client, machine } = world
  await whileConnecting(() => client.machines.disable(machine.id))
  await waitFor('it is let go', async () => (await client.machines.get(machine.id)).presence !== 'online')
  await client.machines.enable(machine.id)
  await machine.restart()
  await world.whenOnline(machine)
})

test('a machine whose fleet is disabled while it connects does not stay connected, nor does one that is moved', async () => {
  const { client, machine } = world
  const { fleetId: home } = await client.me()
  const { id: fleetId } = await client.fleets.create({ name: 'Short', slug: 'short' })
  await whileConnecting(() => client.fleets.machines.attach(machine.id, { fleetId }))
  const listed = async () => (await client.fleets.machines.list({ fleetId })).items
  // It comes again, as a machine of that fleet.
  await waitFor('it is there', async () => (await listed())[0]?.presence === 'online', 20_000)
  const { rawToken: token } = await client.keys.issue({ name: 'k', kind: 'human', role: 'admin' }, { fleetId })
  const { id, name } = machine
  await world.connect({ token }).handle({ id, name, hostname: name }).exec('true')
  await whileConnecting(() => client.fleets.disable(fleetId))
  await waitFor('it is let go', async () => (await bus.owner(machine.id)) === undefined)
  await client.fleets.machines.detach(machine.id, { fleetId })
  await machine.restart()
  await world.whenOnline(machine)
  expect((await client.machines.get(machine.id)).fleetId).toBe(home)
})
