import { isCmdopError, sessionLanes } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addFleet } from './fleets.ts'
import { checkFlood, checkPrintAndExit, openQuiet } from './session-output.ts'
import { rawChannels, unresolvedMachine } from './unresolved.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('the output of a session', () => {
  test('arrives at an operator to the last byte, of a flood', async () => {
    await checkFlood(world, 1)
  })

  test('arrives at an operator to the last byte, of a command that prints and ends', () => checkPrintAndExit(world, 10))

  test('reaches an observer beside the operator, which the observer does not slow', async () => {
    await using operator = await openQuiet(world)
    const session = await world.handle.sessions.get(operator.sessionId)
    await using stuck = await session.observe()
    await watch(stuck).next('snapshot')
    await operator.write('seq 1 300000; echo la""st\n')
    const seen = watch(operator)
    await seen.until('\r\n300000\r\nlast\r\n')
    // It was not read meanwhile, and gets the screen instead.
    const late = watch(stuck)
    await late.until('last')
    expect(late.events.some(({ type }) => type === 'snapshot')).toBe(true)
    expect(late.output.length).toBeLessThan(seen.output.length)
  })
})

describe('who may not', () => {
  test('reach a session, because it is of another fleet, does not find it', async () => {
    await using store = await world.openStore()
    await using operator = await openQuiet(world)
    const { raw: token } = await addFleet(store, 'sessions-other')
    const machine = unresolvedMachine(world, { token })
    const found = { code: 'not_found' }
    await expect(machine.sessions?.get(operator.sessionId)).rejects.toMatchObject(found)
    await expect(machine.sessions?.open()).rejects.toMatchObject(found)
    const channels = rawChannels(world, { token })
    for (const method of ['session.attach', 'session.observe', 'session.read', 'session.close'] as const) {
      const params = { sessionId: operator.sessionId, ...(method === 'session.read' ? { offset: 0 } : {}) }
      const call = { method, target: world.machine.id, params, callId: `call_of_other_${method.slice(8)}` } as const
      await expect(channels.open(call)).rejects.toMatchObject(found)
    }
    await channels.close()
  })

  test('type, because it observes, is refused at the relay, and nothing of it arrives', async () => {
    await using operator = await openQuiet(world)
    const channels = rawChannels(world)
    const params = { sessionId: operator.sessionId, offset: 0 }
    const call = { method: 'session.observe', target: world.machine.id, params, callId: 'call_observer_types' } as const
    const channel = await channels.open(call)
    await channel.send(sessionLanes.input, Buffer.from('echo ty""ped\n'))
    const end = await channel.over.catch((error: unknown) => error)
    expect(isCmdopError(end) && end.code).toBe('permission')
    await channels.close()
    const seen = watch(operator)
    await operator.write('echo al""ive; exit\n')
    await seen.end()
    expect(seen.output.toString()).toBe('alive\r\n')
  })
})
