import {
  CmdopError,
  createMemoryTransports,
  DEAD_AFTER_MS,
  Link,
  PING_AFTER_MS,
  presenceOf,
  SUSPECT_AFTER_MS,
} from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Bus } from './bus/bus.ts'
import { createMemoryBus } from './bus/memory-bus.ts'
import { Peer } from './channel/peer.ts'
import { Router } from './channel/router.ts'
import { PresenceKeeper } from './presence.ts'
import type { Store } from './store/store.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Watch {
  readonly bus: Bus
  readonly seen: { ids: readonly string[]; at: string }[]
  readonly machine: Link
  readonly closed: () => boolean
  readonly keeper: PresenceKeeper
}

/** A keeper with one connected machine, which answers pings as long as `isDeaf` says no. */
async function watchMachine(isDeaf: () => boolean = () => false): Promise<Watch> {
  const bus = createMemoryBus()
  const router = new Router({ relayInstance: 'run_one', bus })
  const [near, far] = createMemoryTransports()
  const send = far.send.bind(far)
  far.send = (message) => (isDeaf() ? undefined : send(message))
  const peer = new Peer(near, {})
  const machine = new Link(far, { hello: () => {}, frame: () => {}, closed: () => {} })
  peer.link.sendHello({})
  machine.sendHello({})
  await vi.advanceTimersByTimeAsync(1)
  router.attach(
    {
      id: 'mch_one',
      fleetId: 'flt_one',
      name: 'one',
      hostname: 'one',
      os: 'linux',
      architecture: 'x64',
      agentVersion: '0.1.0',
      publicKey: '',
      createdAt: new Date().toISOString(),
      lastSeenAt: null,
      disabledAt: null,
      nextPublicKey: null,
      quarantinedAt: null,
      labels: '{}',
      reportedLabels: '{}',
      homeFleetId: 'flt_one',
      createdById: null,
      keyVersion: 1,
      keyRegisteredAt: null,
      connectedAt: null,
      connects: null,
      description: null,
      metrics: null,
    },
    peer,
  )
  await bus.claim('mch_one', { relayInstance: 'run_one', machineInstance: 'one', heardAt: Date.now() })
  const seen: Watch['seen'] = []
  const machines = { seen: async (ids: readonly string[], at: string) => void seen.push({ ids, at }) }
  const store = { machines } as unknown as Store
  const failed = (error: unknown) => {
    throw new CmdopError('server', 'The report failed.', { cause: error })
  }
  const keeper = new PresenceKeeper({ relayInstance: 'run_one', store, bus, router, peers: () => [peer], failed })
  return { bus, seen, machine, keeper, closed: () => peer.link.isClosed }
}

describe('the presence of a machine', () => {
  test('that is idle and answers its pings is `online` at every moment', async () => {
    const { bus, keeper, closed } = await watchMachine()
    for (let second = 0; second < 300; second += 1) {
      await vi.advanceTimersByTimeAsync(1000)
      const now = Date.now()
      const lastSeenAt = (await bus.owner('mch_one'))?.heardAt ?? null
      expect(`${second} s: ${presenceOf({ connected: true, lastSeenAt, now })}`).toBe(`${second} s: online`)
    }
    expect(closed()).toBe(false)
    keeper.close()
  })

  test('that answers no more is `suspect`, and its connection is closed in time', async () => {
    let deaf = false
    const { bus, keeper, closed } = await watchMachine(() => deaf)
    await vi.advanceTimersByTimeAsync(PING_AFTER_MS)
    deaf = true
    await vi.advanceTimersByTimeAsync(SUSPECT_AFTER_MS + 1000)
    const lastSeenAt = (await bus.owner('mch_one'))?.heardAt ?? null
    expect(presenceOf({ connected: true, lastSeenAt, now: Date.now() })).toBe('suspect')
    expect(closed()).toBe(false)
    await vi.advanceTimersByTimeAsync(DEAD_AFTER_MS - SUSPECT_AFTER_MS)
    expect(closed()).toBe(true)
    keeper.close()
  })

  test('is written to the store now and then, and only when something was heard', async () => {
    let deaf = false
    const { seen, keeper } = await watchMachine(() => deaf)
    await vi.advanceTimersByTimeAsync(60_000)
    const heard = seen.length
    expect(heard).toBeGreaterThanOrEqual(3)
    expect(heard).toBeLessThanOrEqual(7)
    expect(seen.at(-1)?.ids).toEqual(['mch_one'])
    expect(Date.now() - Date.parse(seen.at(-1)?.at ?? '')).toBeLessThan(30_000)
    deaf = true
    await vi.advanceTimersByTimeAsync(30_000)
    expect(seen.length).toBeLessThanOrEqual(heard + 1)
    keeper.close()
  })

  test('is not looked after any more once the relay is closed', async () => {
    const { keeper, seen } = await watchMachine()
    keeper.close()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(seen).toEqual([])
  })
})
