import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, at, keyRow, newId, type OpenStore, principalRow } from './world.ts'

/** Fleets that end, people in several of them, and machines that several use. */
export function describeMachineLinks(open: OpenStore): void {
  describe('several fleets', () => {
    it('list and find the machines that they use, in order with their own', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const { fleet: home, owner: other } = await addFleet(store)
      await addMachines(store, owner, [{ name: 'a' }, { name: 'c' }])
      const [shared, off] = await addMachines(store, other, [{ name: 'b' }, { name: 'd', disabledAt: at(1) }])
      for (const machine of [shared, off])
        await store.machineLinks.attach(linkOf(machine?.id ?? '', fleet.id, owner.id))
      const names = async (page: Parameters<typeof store.machines.list>[1]) =>
        (await store.machines.list(fleet.id, page)).map(({ name }) => name)
      expect(await names({ limit: 9 })).toEqual(['a', 'b', 'c'])
      expect(await names({ limit: 2 })).toEqual(['a', 'b'])
      expect(await names({ limit: 9, after: { name: 'a', id: '~' } })).toEqual(['b', 'c'])
      expect(await names({ limit: 9, query: 'B' })).toEqual(['b'])
      expect(await names({ limit: 9, disabled: true })).toEqual(['d'])
      expect((await store.machines.list(home.id, { limit: 9 })).map(({ name }) => name)).toEqual(['b'])
      expect((await store.machines.resolve(fleet.id, 'b')).map(({ id }) => id)).toEqual([shared?.id])
      expect((await store.machines.resolve(fleet.id, shared?.id ?? '')).map(({ name }) => name)).toEqual(['b'])
      expect((await store.machines.namesOf(fleet.id, [shared?.id ?? ''])).size).toBe(1)
      expect(await store.machineLinks.count(fleet.id)).toBe(2)
      expect(await store.machineLinks.detach(shared?.id ?? '', fleet.id)).toBe(true)
      expect(await store.machineLinks.detach(shared?.id ?? '', fleet.id)).toBe(false)
      expect(await names({ limit: 9 })).toEqual(['a', 'c'])
      expect(await store.machines.resolve(fleet.id, 'b')).toEqual([])
    })

    it('have each name once, whoever takes it: attached, enrolled or renamed, also at the same moment', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const { owner: other } = await addFleet(store)
      const [own] = await addMachines(store, owner, [{ name: 'a' }])
      const [first, second] = await addMachines(store, other, [{ name: 'a' }, { name: 'b' }])
      const attach = (machineId = '') => store.machineLinks.attach(linkOf(machineId, fleet.id, owner.id))
      await expect(attach(first?.id)).rejects.toMatchObject({ code: 'conflict' })
      await attach(second?.id)
      await expect(attach(second?.id)).rejects.toMatchObject({ code: 'conflict' })
      await expect(addMachines(store, owner, [{ name: 'b' }])).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.machines.rename(own?.id ?? '', 'b')).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.machines.rename(second?.id ?? '', 'a')).rejects.toMatchObject({ code: 'conflict' })
      const asked = [own, second].map((machine) => store.machines.rename(machine?.id ?? '', 'c'))
      const made = await Promise.allSettled(asked)
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })

    it('end with their keys and links, but for the oldest one', async () => {
      await using world = await open()
      const { store } = world
      const { fleet: oldest, owner } = await addFleet(store)
      const { fleet, owner: other } = await addFleet(store)
      const [shared] = await addMachines(store, owner, [{ name: 'a' }])
      await store.machineLinks.attach(linkOf(shared?.id ?? '', fleet.id, other.id))
      const key = keyRow(other)
      await store.keys.create(key)
      await expect(store.fleets.disable(oldest.id, at(5))).rejects.toMatchObject({ code: 'conflict' })
      expect(await store.fleets.disable(fleet.id, at(5))).toEqual([key.id])
      expect(await store.keys.get(key.id)).toMatchObject({ revokedAt: at(5), fleetDisabledAt: at(5) })
      expect(await store.machineLinks.of([shared?.id ?? ''])).toEqual([])
      const late = keyRow(other)
      await store.keys.create(late)
      expect(await store.keys.get(late.id)).toMatchObject({ revokedAt: null, fleetDisabledAt: at(5) })
    })

    it('have the same person once each, who signs in to one of them', async () => {
      await using world = await open()
      const { store } = world
      const { fleet: home, owner } = await addFleet(store)
      const { fleet } = await addFleet(store)
      const person = principalRow(home.id, { email: 'ada@example.com', role: 'member' })
      await store.principals.create(person)
      const member = principalRow(fleet.id, { email: 'ada@example.com', personId: person.id, role: 'admin' })
      await store.principals.create(member)
      const again = principalRow(fleet.id, { personId: person.id })
      await expect(store.principals.create(again)).rejects.toMatchObject({ code: 'conflict' })
      expect(await store.principals.ofPerson(person.id, fleet.id)).toEqual(member)
      expect(await store.principals.ofPerson(person.id, home.id)).toEqual(person)
      expect(await store.principals.ofPerson(owner.id, fleet.id)).toBeUndefined()
      const { items, total } = await store.fleets.ofPerson(person.id, { offset: 0, limit: 1 })
      expect({ total, ids: items.map((item) => item.fleet.id), roles: items.map(({ role }) => role) }).toEqual({
        total: 2,
        ids: [home.id],
        roles: ['member'],
      })
      expect((await store.principals.forSignIn('Ada@example.com'))?.id).toBe(person.id)
      expect(await store.principals.forSignIn('ada@example.com', fleet.slug)).toBeUndefined()
      await store.fleets.disable(fleet.id, at(5))
      expect(await store.principals.ofPerson(person.id, fleet.id)).toBeUndefined()
      expect((await store.fleets.ofPerson(person.id, { offset: 0, limit: 9 })).total).toBe(1)
    })

    it('keep what is known of a machine, and count its keys', async () => {
      await using world = await open()
      const { store } = world
      const { owner } = await addFleet(store)
      const [machine] = await addMachines(store, owner, [{ name: 'a', publicKey: 'one' }])
      const id = machine?.id ?? ''
      const { hostname, os, architecture, agentVersion, reportedLabels } = machine ?? {
        hostname: '',
        os: '',
        architecture: '',
        agentVersion: '',
        reportedLabels: '{}',
      }
      const said = { hostname, os, architecture, agentVersion, reportedLabels }
      await store.machines.update(id, { ...said, connectedAt: at(3), connects: '[[1,1]]', description: '{}' })
      await store.machines.measured(id, '{"cpu_usage":1}')
      expect(await store.machines.disable(id, at(4))).toBe(true)
      expect(await store.machines.disable(id, at(5))).toBe(false)
      expect(await store.machines.get(id)).toMatchObject({ disabledAt: at(4), connectedAt: at(3), keyVersion: 1 })
      expect(await store.machines.disable(id, null)).toBe(true)
      expect(await store.machines.disable(newId('machine'), null)).toBe(false)
      await store.machines.proposeKey(id, 'one', 'two')
      await store.machines.promoteKey(id, 'two', at(6))
      expect(await store.machines.get(id)).toMatchObject({ keyVersion: 2, keyRegisteredAt: at(6), disabledAt: null })
    })
  })
}

function linkOf(machineId: string, fleetId: string, addedById: string) {
  return { machineId, fleetId, joinedAt: at(2), addedById }
}
