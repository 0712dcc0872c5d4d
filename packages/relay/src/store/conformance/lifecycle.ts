import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, auditRow, sealedRows, keyRow, newId, type OpenStore } from './world.ts'

/** The relay's key, and what opening and closing do. */
export function describeLifecycle(open: OpenStore): void {
  const proposal = () => ({ relayId: newId('relay'), privateKey: 'private', publicKey: 'public' })

  describe('the relay key', () => {
    it('is one key, however many propose one at the same moment', async () => {
      await using world = await open()
      const keys = await Promise.all(Array.from({ length: 10 }, () => world.store.relayKey(proposal)))
      expect(new Set(keys.map((key) => key.relayId)).size).toBe(1)
    })

    it('is proposed only once, and is there after a restart', async () => {
      await using world = await open()
      const key = await world.store.relayKey(proposal)
      const store = await world.reopen()
      const again = await store.relayKey(() => {
        throw new Error('There is a key; nobody needs to propose another.')
      })
      expect(again).toEqual(key)
    })
  })

  describe('opening and closing', () => {
    it('has everything that was acknowledged after a restart', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const [machine] = await addMachines(world.store, owner, [{}])
      const key = keyRow(owner)
      await world.store.keys.create(key)
      const row = auditRow(fleet.id)
      await world.store.audit.append(sealedRows([row]))
      const store = await world.reopen()
      expect(await store.fleets.first()).toEqual(fleet)
      expect(await store.principals.get(owner.id)).toEqual(owner)
      expect(await store.machines.get(machine?.id ?? '')).toEqual(machine)
      expect(await store.keys.get(key.id)).toEqual(key)
      expect((await store.audit.list(fleet.id, { limit: 9 })).map((entry) => entry.row)).toEqual([row])
    })

    it('commits what was asked before it closes, transactions too', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const rows = Array.from({ length: 50 }, () => auditRow(owner.fleetId))
      const appended = rows.map((row) => world.store.audit.append(sealedRows([row])))
      const second = addFleet(world.store)
      await world.store.close()
      await Promise.all(appended)
      const { fleet } = await second
      const store = await world.reopen()
      expect(await store.audit.list(owner.fleetId, { limit: 99 })).toHaveLength(50)
      expect(await store.fleets.get(fleet.id)).toEqual(fleet)
    })

    it('answers a ping while it is open, and is unavailable afterwards', async () => {
      await using world = await open()
      await world.store.ping()
      await Promise.all([world.store.close(), world.store.close()])
      await world.store.close()
      await expect(world.store.ping()).rejects.toMatchObject({ code: 'unavailable' })
      await expect(world.store.audit.append(sealedRows([auditRow('fleet_1')]))).rejects.toMatchObject({
        code: 'unavailable',
      })
      await expect(addFleet(world.store)).rejects.toMatchObject({ code: 'unavailable' })
      await expect(world.store.relayKey(proposal)).rejects.toMatchObject({ code: 'unavailable' })
    })
  })
}
