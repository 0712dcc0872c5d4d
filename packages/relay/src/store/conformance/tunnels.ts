import { describe, expect, it } from 'vitest'
import type { PrincipalRow, Store } from '../store.ts'
import type { TunnelRow } from '../tunnel-store.ts'
import { addFleet, addMachines, at, newId, type OpenStore } from './world.ts'

/** A machine of the fleet of its owner. */
async function addMachine(store: Store, owner: PrincipalRow): Promise<{ id: string }> {
  const [machine] = await addMachines(store, owner, [{}])
  if (machine === undefined) throw new Error('Expected a machine.')
  return machine
}

/** Tunnels to ports of machines. */
export function describeTunnels(open: OpenStore): void {
  const addTunnel = async (store: Store, change: Partial<TunnelRow> & Pick<TunnelRow, 'fleetId' | 'machineId'>) => {
    const tunnel: TunnelRow = {
      id: newId('tunnel'),
      createdById: 'principal_1',
      createdByKeyId: 'key_1',
      protocol: 'http',
      localHost: '127.0.0.1',
      localPort: 80,
      subdomain: null,
      auth: 'bearer',
      authHash: 'ab'.repeat(32),
      allowedPeers: ['10.0.0.0/8', '2001:db8::/32'],
      maxConnections: 100,
      maxBytes: 5_000_000_000,
      idleSeconds: 60,
      tlsServerName: null,
      insecureTls: true,
      bytes: 0,
      connections: 0,
      createdAt: at(1),
      expiresAt: at(100),
      closedAt: null,
      closedReason: null,
      ...change,
    }
    await store.tunnels.create(tunnel)
    return tunnel
  }

  describe('a tunnel', () => {
    it('is found by its id and by its subdomain, and is there after the store was closed', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const of = { fleetId: fleet.id, machineId: (await addMachine(world.store, owner)).id }
      const tunnel = await addTunnel(world.store, { ...of, subdomain: 'shop' })
      const plain = await addTunnel(world.store, { ...of, allowedPeers: null, maxBytes: null, insecureTls: false })
      const store = await world.reopen()
      expect(await store.tunnels.get(tunnel.id)).toEqual(tunnel)
      expect(await store.tunnels.get(plain.id)).toEqual(plain)
      expect(await store.tunnels.bySubdomain('shop')).toEqual(tunnel)
      expect(await store.tunnels.bySubdomain('none')).toBeUndefined()
    })

    it('has its subdomain alone while it is open, and is closed once', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const of = { fleetId: fleet.id, machineId: (await addMachine(store, owner)).id, subdomain: 'shop' }
      const first = await addTunnel(store, of)
      await expect(addTunnel(store, of)).rejects.toMatchObject({ code: 'conflict' })
      const closed = await Promise.all([1, 2, 3].map(() => store.tunnels.close(first.id, at(5), 'asked')))
      expect(closed.filter(Boolean)).toHaveLength(1)
      expect(await store.tunnels.get(first.id)).toMatchObject({ closedAt: at(5), closedReason: 'asked' })
      expect(await store.tunnels.bySubdomain('shop')).toBeUndefined()
      const second = await addTunnel(store, of)
      expect((await store.tunnels.bySubdomain('shop'))?.id).toBe(second.id)
      await store.tunnels.prune(at(5))
      expect(await store.tunnels.get(first.id)).toBeDefined()
      await store.tunnels.prune(at(6))
      expect(await store.tunnels.get(first.id)).toBeUndefined()
    })

    it('is listed with the others of its fleet that are open, the newest first, of all machines or of some', async () => {
      await using world = await open()
      const { store } = world
      const [one, other] = [await addFleet(store), await addFleet(store)]
      const [machine, second] = [await addMachine(store, one.owner), await addMachine(store, one.owner)]
      const of = { fleetId: one.fleet.id, machineId: machine.id }
      const tunnels = []
      for (let count = 0; count < 3; count += 1) tunnels.push(await addTunnel(store, { ...of, createdAt: at(count) }))
      const there = await addTunnel(store, { ...of, machineId: second.id, createdAt: at(9) })
      const theirs = await addMachine(store, other.owner)
      await addTunnel(store, { fleetId: other.fleet.id, machineId: theirs.id })
      await store.tunnels.close(tunnels[1]?.id ?? '', at(10), 'expired')
      const ids = async (page: Parameters<typeof store.tunnels.list>[1]) => {
        const { items, total } = await store.tunnels.list(one.fleet.id, page)
        return { ids: items.map(({ id }) => id), total }
      }
      const [first, , third] = tunnels.map(({ id }) => id)
      expect(await ids({ offset: 0, limit: 2 })).toEqual({ ids: [there.id, third], total: 3 })
      expect(await ids({ offset: 2, limit: 2 })).toEqual({ ids: [first], total: 3 })
      expect(await ids({ offset: 0, limit: 9, machineIds: [second.id] })).toEqual({ ids: [there.id], total: 1 })
      expect(await ids({ offset: 0, limit: 9, machineIds: [] })).toEqual({ ids: [], total: 0 })
    })

    it('is found when its time is over, and by the key with whose right it works', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const of = { fleetId: fleet.id, machineId: (await addMachine(store, owner)).id }
      const late = await addTunnel(store, { ...of, expiresAt: at(50), createdByKeyId: 'key_2' })
      const soon = await addTunnel(store, { ...of, expiresAt: at(20) })
      const ids = (tunnels: TunnelRow[]) => tunnels.map(({ id }) => id)
      expect(ids(await store.tunnels.expired(at(19), 9))).toEqual([])
      expect(ids(await store.tunnels.expired(at(50), 9))).toEqual([soon.id, late.id])
      expect(ids(await store.tunnels.expired(at(50), 1))).toEqual([soon.id])
      expect((await store.tunnels.openKeys()).toSorted()).toEqual(['key_1', 'key_2'])
      expect(ids(await store.tunnels.ofKey('key_2'))).toEqual([late.id])
      await store.tunnels.close(late.id, at(51), 'right')
      expect(await store.tunnels.openKeys()).toEqual(['key_1'])
      expect(await store.tunnels.ofKey('key_2')).toEqual([])
    })

    it('counts what went through, from many relays at once', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const machine = await addMachine(store, owner)
      const { id } = await addTunnel(store, { fleetId: fleet.id, machineId: machine.id })
      const many = { bytes: 3_000_000_000, connections: 1 }
      const counted = await Promise.all([many, many, many].map((more) => store.tunnels.count(id, more)))
      expect(counted.toSorted((one, other) => one - other)).toEqual([3e9, 6e9, 9e9])
      expect(await store.tunnels.get(id)).toMatchObject({ bytes: 9e9, connections: 3 })
    })
  })
}
