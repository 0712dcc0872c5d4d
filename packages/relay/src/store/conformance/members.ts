import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, at, keyRow, newId, type OpenStore, principalRow } from './world.ts'

/** Members, settings of a fleet, rotation of keys, and what becomes of the key of a machine. */
export function describeMembers(open: OpenStore): void {
  describe('members', () => {
    it('are people of one fleet who are there, in the order they joined, and are found by email', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const ann = principalRow(fleet.id, { email: 'ann@example.com', groups: ['ops'], createdAt: at(2) })
      const robot = principalRow(fleet.id, { kind: 'ai', actsForId: owner.id })
      const gone = principalRow(fleet.id, { email: 'ann@example.com', removedAt: at(1) })
      for (const principal of [gone, ann, robot]) await world.store.principals.create(principal)
      const { items, total } = await world.store.principals.members(fleet.id, { offset: 0, limit: 9 })
      expect(items).toEqual([owner, ann])
      expect(total).toBe(2)
      expect(await world.store.principals.memberByEmail(fleet.id, 'Ann@Example.com')).toEqual(ann)
      const second = principalRow(fleet.id, { email: 'ANN@example.com' })
      await expect(world.store.principals.create(second)).rejects.toMatchObject({ code: 'conflict' })
    })

    it('keep an owner among them, also when two leave at once', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { principals } = world.store
      await expect(principals.removeMember(owner, at(1))).rejects.toMatchObject({ code: 'conflict' })
      await expect(principals.changeMember(owner, { role: 'admin' })).rejects.toMatchObject({ code: 'conflict' })
      const second = principalRow(fleet.id)
      await principals.create(second)
      const left = await Promise.allSettled([
        principals.removeMember(owner, at(1)),
        principals.changeMember(second, { role: 'viewer', groups: ['left'] }),
      ])
      expect(left.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })

    it('who are removed leave no key that is good', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const ann = principalRow(fleet.id, { role: 'member' })
      await world.store.principals.create(ann)
      const key = keyRow(ann)
      await world.store.keys.create(key)
      await world.store.principals.removeMember(ann, at(5))
      expect((await world.store.keys.get(key.id))?.revokedAt).toBe(at(5))
      expect((await world.store.principals.get(ann.id))?.removedAt).toBe(at(5))
    })
  })

  describe('the settings of a fleet', () => {
    it('are optional and by default until they are changed', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const { fleets } = world.store
      expect(await fleets.settings(fleet.id)).toEqual({ mfaRequired: 'optional', fourEyes: null })
      await fleets.configure(fleet.id, { fourEyes: false })
      await fleets.configure(fleet.id, { mfaRequired: 'required' })
      expect(await fleets.settings(fleet.id)).toEqual({ mfaRequired: 'required', fourEyes: false })
      await fleets.configure(fleet.id, { fourEyes: null })
      expect(await fleets.settings(fleet.id)).toEqual({ mfaRequired: 'required', fourEyes: null })
      expect(await fleets.settings(newId('fleet'))).toBeUndefined()
    })
  })

  describe('a key that is rotated', () => {
    it('gives way to one of those who rotate it at once, and what it issued hangs on that one', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const { keys } = world.store
      const scopes = [{ actions: ['file.*'], machines: { names: ['web-*'] } }]
      const old = keyRow(owner, { scopes, ipRanges: ['::1'], role: 'member', maxTargetsPerRun: 3 })
      const child = keyRow(owner, { parentId: old.id })
      for (const key of [old, child]) await keys.create(key)
      expect(await keys.get(old.id)).toEqual(old)
      const next = [1, 2].map(() => ({ ...keyRow(owner), createdAt: at(9), rotatedFrom: old.id }))
      const rotated = await Promise.all(next.map((key) => keys.rotate(key, at(60))))
      expect(rotated.filter(Boolean)).toHaveLength(1)
      expect(await keys.get(old.id)).toMatchObject({ expiresAt: at(60), revokedAt: null })
      expect((await keys.get(child.id))?.parentId).toBe(next[rotated.indexOf(true)]?.id)
    })
  })

  describe('a session', () => {
    it('is not rotated', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const session = keyRow(owner, { credential: 'session' })
      await world.store.keys.create(session)
      const next = { ...keyRow(owner), createdAt: at(9), rotatedFrom: session.id }
      expect(await world.store.keys.rotate(next, at(60))).toBe(false)
      expect(await world.store.keys.get(session.id)).toEqual(session)
      expect(await world.store.keys.get(next.id)).toBeUndefined()
    })
  })

  describe('the key of a machine', () => {
    it('is another one once the next was used, and not by somebody who came too late', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const [machine] = await addMachines(world.store, owner, [{ publicKey: 'one' }])
      const id = machine?.id ?? ''
      const { machines } = world.store
      expect(await machines.proposeKey(id, 'other', 'two')).toBe(false)
      expect(await machines.proposeKey(id, 'one', 'two')).toBe(true)
      expect(await machines.promoteKey(id, 'three', at(9))).toBe(false)
      expect(await machines.promoteKey(id, 'two', at(9))).toBe(true)
      expect(await machines.get(id)).toMatchObject({ publicKey: 'two', nextPublicKey: null })
      expect(await machines.proposeKey(id, 'one', 'four')).toBe(false)
    })

    it('is put in quarantine once, and released once', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const [machine] = await addMachines(world.store, owner, [{}])
      const id = machine?.id ?? ''
      const { machines } = world.store
      expect(await Promise.all([machines.quarantine(id, at(1)), machines.quarantine(id, at(2))])).toEqual([true, false])
      expect((await machines.get(id))?.quarantinedAt).toBe(at(1))
      expect([await machines.quarantine(id, null), await machines.quarantine(id, null)]).toEqual([true, false])
    })
  })
}
