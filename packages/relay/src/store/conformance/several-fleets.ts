import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, at, keyRow, newId, type OpenStore, principalRow } from './world.ts'

/** Fleets that end, people in several of them, and machines that move. */
export function describeSeveralFleets(open: OpenStore): void {
  describe('several fleets', () => {
    it('have a machine in one of them at a time, which knows where it enrolled', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const { fleet: home, owner: other } = await addFleet(store)
      await addMachines(store, owner, [{ name: 'a' }, { name: 'c' }])
      const [machine] = await addMachines(store, other, [{ name: 'b' }])
      const id = machine?.id ?? ''
      const names = async (fleetId: string) =>
        (await store.machines.list(fleetId, { limit: 9 })).map(({ name }) => name)
      expect(machine).toMatchObject({ fleetId: home.id, homeFleetId: home.id })
      await store.machines.move(id, { from: home.id, to: fleet.id })
      expect(await store.machines.get(id)).toMatchObject({ fleetId: fleet.id, homeFleetId: home.id })
      expect([await names(fleet.id), await names(home.id)]).toEqual([['a', 'b', 'c'], []])
      expect((await store.machines.resolve(fleet.id, 'b')).map((found) => found.id)).toEqual([id])
      expect(await store.machines.resolve(home.id, id)).toEqual([])
      const again = store.machines.move(id, { from: home.id, to: fleet.id })
      await expect(again).rejects.toMatchObject({ code: 'conflict' })
      await store.machines.move(id, { from: fleet.id, to: home.id })
      expect([await names(fleet.id), await names(home.id)]).toEqual([['a', 'c'], ['b']])
    })

    it('have each name once, whoever takes it: moved, enrolled or renamed, also at the same moment', async () => {
      await using world = await open()
      const { store } = world
      const { fleet, owner } = await addFleet(store)
      const { fleet: home, owner: other } = await addFleet(store)
      const [own] = await addMachines(store, owner, [{ name: 'a' }])
      const [first, second, third] = await addMachines(store, other, [{ name: 'a' }, { name: 'b' }, { name: 'd' }])
      const move = (machineId = '') => store.machines.move(machineId, { from: home.id, to: fleet.id })
      await expect(move(first?.id)).rejects.toMatchObject({ code: 'conflict' })
      expect((await store.machines.get(first?.id ?? ''))?.fleetId).toBe(home.id)
      await move(second?.id)
      await expect(addMachines(store, owner, [{ name: 'b' }])).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.machines.rename(own?.id ?? '', 'b')).rejects.toMatchObject({ code: 'conflict' })
      // Its name at home is free meanwhile, and taken when it comes back.
      await addMachines(store, other, [{ name: 'b' }])
      const back = store.machines.move(second?.id ?? '', { from: fleet.id, to: home.id })
      await expect(back).rejects.toMatchObject({ code: 'conflict' })
      const made = await Promise.allSettled([
        store.machines.rename(own?.id ?? '', 'd'),
        store.machines.rename(second?.id ?? '', 'd'),
        move(third?.id),
        addMachines(store, owner, [{ name: 'd' }]),
      ])
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const named = (await store.machines.list(fleet.id, { limit: 9 })).map(({ name }) => name)
      expect(named.filter((name) => name === 'd')).toHaveLength(1)
    })

    it('take no machine once they are disabled, and two that go each other’s way wait for nobody', async () => {
      await using world = await open()
      const { store } = world
      await addFleet(store)
      const { fleet, owner } = await addFleet(store)
      const { fleet: home, owner: other } = await addFleet(store)
      const [one] = await addMachines(store, owner, [{ name: 'one' }])
      const [two] = await addMachines(store, other, [{ name: 'two' }])
      await Promise.all([
        store.machines.move(one?.id ?? '', { from: fleet.id, to: home.id }),
        store.machines.move(two?.id ?? '', { from: home.id, to: fleet.id }),
      ])
      await store.fleets.disable(fleet.id, at(5))
      const back = store.machines.move(one?.id ?? '', { from: home.id, to: fleet.id })
      await expect(back).rejects.toMatchObject({ code: 'conflict' })
      await store.machines.move(two?.id ?? '', { from: fleet.id, to: home.id })
    })

    it('end with their keys, but for the oldest one', async () => {
      await using world = await open()
      const { store } = world
      const { fleet: oldest } = await addFleet(store)
      const { fleet, owner: other } = await addFleet(store)
      const key = keyRow(other)
      await store.keys.create(key)
      await expect(store.fleets.disable(oldest.id, at(5))).rejects.toMatchObject({ code: 'conflict' })
      expect(await store.fleets.disable(fleet.id, at(5))).toEqual([key.id])
      expect(await store.keys.get(key.id)).toMatchObject({ revokedAt: at(5), fleetDisabledAt: at(5) })
      const late = keyRow(other)
      await store.keys.create(late)
      expect(await store.keys.get(late.id)).toMatchObject({ revokedAt: null, fleetDisabledAt: at(5) })
    })

    it('keep an owner who can sign in: of the fleet that he goes from, and of every other', async () => {
      await using world = await open()
      const { store } = world
      await addFleet(store)
      const { fleet: home } = await addFleet(store)
      const { fleet, owner: local } = await addFleet(store)
      const person = principalRow(home.id, { role: 'member' })
      await store.principals.create(person)
      const member = principalRow(fleet.id, { personId: person.id, role: 'owner' })
      await store.principals.create(member)
      await store.principals.removeMember(local, at(3))
      const named = { code: 'conflict', message: expect.stringContaining(fleet.slug) as string }
      await expect(store.principals.removeMember(person, at(4))).rejects.toMatchObject(named)
      await expect(store.fleets.disable(home.id, at(4))).rejects.toMatchObject(named)
      const another = principalRow(fleet.id, { role: 'owner' })
      await store.principals.create(another)
      await store.principals.removeMember(person, at(5))
      // His membership is still there, and counts for nothing.
      await expect(store.principals.removeMember(another, at(6))).rejects.toMatchObject({ code: 'conflict' })
      await store.fleets.disable(fleet.id, at(7))
      await store.fleets.disable(home.id, at(7))
    })

    it('list who could be somebody else by now only after he was confirmed', async () => {
      await using world = await open()
      const { store } = world
      const { fleet: home } = await addFleet(store)
      const { fleet } = await addFleet(store)
      const person = principalRow(home.id, { createdAt: at(1) })
      const member = principalRow(fleet.id, { personId: person.id, createdAt: at(2) })
      await store.principals.create(person)
      await store.principals.create(member)
      const total = async () => (await store.fleets.ofPerson(person.id, { offset: 0, limit: 9 })).total
      expect(await total()).toBe(2)
      await store.principals.controlChanged(person.id, at(4))
      await store.principals.controlChanged(person.id, at(3))
      expect(await total()).toBe(1)
      expect((await store.principals.get(person.id))?.controlChangedAt).toBe(at(4))
      await store.principals.confirm(member.id, at(5))
      expect(await total()).toBe(2)
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
