import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTwoRelays, type TwoRelays } from './two-relays.ts'
import { startWorld, type World } from './world.ts'

describe('a sign of life', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  test('comes from each daemon that is there, and from nobody else', async () => {
    const asked = [world.machine.id, 'mch_of_nobody']
    const answers = await world.client.machines.ping(asked, { timeoutMs: 300 })
    expect([...answers.keys()]).toEqual(asked)
    expect(answers.get('mch_of_nobody')).toBeNull()
    expect(answers.get(world.machine.id)).toBeGreaterThan(0)
    expect(answers.get(world.machine.id)).toBeLessThan(300)
  })

  test('is asked for with sense', async () => {
    await expect(world.client.machines.ping([])).rejects.toMatchObject({ code: 'validation' })
    await expect(world.client.machines.ping(['a'], { timeoutMs: 0 })).rejects.toMatchObject({ code: 'validation' })
  })

  test('is only asked for with a key that is for the machine', async () => {
    const scopes = [{ actions: ['machine.*'], machines: { ids: ['mch_of_nobody'] } }]
    const { rawToken: token } = await world.client.keys.issue({ name: 'other', scopes })
    const answers = await world.connect({ token }).machines.ping([world.machine.id], { timeoutMs: 300 })
    expect(answers.get(world.machine.id)).toBeNull()
  })
})

describe('a machine that is connected to another relay', () => {
  let world: TwoRelays
  beforeAll(async () => {
    world = await startTwoRelays()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  test('is asked there, and has none once its daemon is gone', async () => {
    for (const relay of [world.one, world.two]) {
      const answers = await world.connect(relay).machines.ping([world.machineId], { timeoutMs: 2000 })
      expect(answers.get(world.machineId)).toBeLessThan(2000)
    }
    await world.stop()
    const answers = await world.connect(world.two).machines.ping([world.machineId], { timeoutMs: 200 })
    expect(answers.get(world.machineId)).toBeNull()
  })
})
