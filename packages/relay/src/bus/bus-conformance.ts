import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bus, type BusMessage, type Owner, waitForOwner } from './bus.ts'

/** Two relays' views of one bus; the same object where relays share a process. */
export interface BusWorld extends AsyncDisposable {
  readonly one: Bus
  readonly two: Bus
}

const owner = (relayInstance: string, machineInstance = 'first', heardAt = 1000): Owner => ({
  relayInstance,
  machineInstance,
  heardAt,
})

/** What every implementation of the port does. `open` gives a new, empty bus each time. */
export function describeBus(name: string, open: () => Promise<BusWorld>): void {
  describe(name, () => {
    let world: BusWorld
    beforeEach(async () => {
      world = await open()
    })
    afterEach(() => world[Symbol.asyncDispose]())

    describe('ownership', () => {
      test('is known to every relay once it is claimed, and to nobody before', async () => {
        expect(await world.two.owner('mch_one')).toBeUndefined()
        await world.one.claim('mch_one', owner('run_one'))
        expect(await world.two.owner('mch_one')).toEqual(owner('run_one'))
        expect(await world.one.owner('mch_one')).toEqual(owner('run_one'))
      })

      test('goes to the last one who claims', async () => {
        await world.one.claim('mch_one', owner('run_one'))
        await world.two.claim('mch_one', owner('run_two', 'first', 2000))
        expect(await world.one.owner('mch_one')).toEqual(owner('run_two', 'first', 2000))
      })

      test('ends by a release of this very connection only', async () => {
        await world.one.claim('mch_one', owner('run_one', 'first'))
        await world.two.release('mch_one', owner('run_two', 'first'))
        await world.one.release('mch_one', owner('run_one', 'second'))
        expect(await world.one.owner('mch_one')).toEqual(owner('run_one', 'first'))
        await world.one.release('mch_one', owner('run_one', 'first'))
        expect(await world.two.owner('mch_one')).toBeUndefined()
        await world.one.release('mch_one', owner('run_one', 'first'))
      })

      test('of many is answered at once, without those that nobody has', async () => {
        await world.one.claim('mch_one', owner('run_one'))
        await world.two.claim('mch_two', owner('run_two'))
        const owners = await world.one.owners(['mch_one', 'mch_two', 'mch_three'])
        expect(new Map(owners)).toEqual(
          new Map([
            ['mch_one', owner('run_one')],
            ['mch_two', owner('run_two')],
          ]),
        )
        expect((await world.one.owners([])).size).toBe(0)
      })
    })

    describe('a life sign', () => {
      test('of the owner is known to every relay', async () => {
        await world.one.claim('mch_one', owner('run_one'))
        await world.one.claim('mch_two', owner('run_one'))
        await world.one.heard('run_one', [
          { machineId: 'mch_one', heardAt: 5000 },
          { machineId: 'mch_two', heardAt: 6000 },
        ])
        expect(await world.two.owner('mch_one')).toEqual(owner('run_one', 'first', 5000))
        expect(await world.two.owner('mch_two')).toEqual(owner('run_one', 'first', 6000))
      })

      test('of a relay that does not hold the machine changes nothing', async () => {
        await world.one.claim('mch_one', owner('run_one'))
        await world.two.heard('run_two', [
          { machineId: 'mch_one', heardAt: 5000 },
          { machineId: 'mch_nobody', heardAt: 5000 },
        ])
        expect(await world.one.owner('mch_one')).toEqual(owner('run_one'))
        expect(await world.one.owner('mch_nobody')).toBeUndefined()
      })
    })

    describe('a message', () => {
      test('reaches every subscriber, also of the relay that sent it, in order', async () => {
        const got: [string, BusMessage][] = []
        world.one.subscribe((message) => got.push(['one', message]))
        world.two.subscribe((message) => got.push(['two', message]))
        for (const keyId of ['a', 'b', 'c']) await world.one.publish({ type: 'key-revoked', keyId })
        for (const side of ['one', 'two']) {
          await expect.poll(() => keysOf(got.filter(([to]) => to === side))).toEqual(['a', 'b', 'c'])
        }
      })

      test('tells of every claim', async () => {
        const got: BusMessage[] = []
        world.two.subscribe((message) => got.push(message))
        await world.one.claim('mch_one', owner('run_one'))
        await expect
          .poll(() => got)
          .toEqual([{ type: 'machine-claimed', machineId: 'mch_one', owner: owner('run_one') }])
      })

      test('does not reach who has stopped listening', async () => {
        const got: BusMessage[] = []
        const stop = world.one.subscribe((message) => got.push(message))
        const after = new Promise<void>((resolve) => world.one.subscribe(() => resolve()))
        stop()
        stop()
        await world.two.publish({ type: 'key-revoked', keyId: 'a' })
        await after
        expect(got).toEqual([])
      })
    })

    describe('who waits for an owner', () => {
      test('gets the one there is, without waiting', async () => {
        await world.one.claim('mch_one', owner('run_one'))
        expect(await waitForOwner(world.two, 'mch_one', 0)).toEqual(owner('run_one'))
      })

      test('gets the next one to come', async () => {
        const waiting = waitForOwner(world.two, 'mch_one', 10_000)
        await world.one.claim('mch_other', owner('run_one'))
        await world.one.claim('mch_one', owner('run_one'))
        expect(await waiting).toEqual(owner('run_one'))
      })

      test('gets none when nobody comes in time', async () => {
        expect(await waitForOwner(world.one, 'mch_one', 20)).toBeUndefined()
      })
    })
  })
}

function keysOf(got: readonly [string, BusMessage][]): string[] {
  return got.map(([, message]) => (message.type === 'key-revoked' ? message.keyId : message.type))
}
