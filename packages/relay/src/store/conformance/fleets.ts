import { describe, expect, it } from 'vitest'
import { addFleet, at, fleetRow, newId, type OpenStore, principalRow } from './world.ts'

/** Fleets and principals. */
export function describeFleets(open: OpenStore): void {
  describe('fleets and principals', () => {
    it('gives a fleet and its owner back as they were given', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      expect(await world.store.fleets.get(fleet.id)).toEqual(fleet)
      expect(await world.store.principals.get(owner.id)).toEqual(owner)
    })

    it('knows no fleet and no principal that was not made', async () => {
      await using world = await open()
      expect(await world.store.fleets.first()).toBeUndefined()
      expect(await world.store.fleets.get(newId('fleet'))).toBeUndefined()
      expect(await world.store.principals.get(newId('principal'))).toBeUndefined()
    })

    it('refuses a slug that is taken, and then adds no owner either', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const second = fleetRow({ slug: fleet.slug })
      const owner = principalRow(second.id)
      await expect(world.store.fleets.create(second, owner)).rejects.toMatchObject({
        code: 'conflict',
        message: 'That slug is taken among fleets; choose another one.',
      })
      expect(await world.store.fleets.get(second.id)).toBeUndefined()
      expect(await world.store.principals.get(owner.id)).toBeUndefined()
    })

    it('adds no fleet when its owner cannot be added', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const second = fleetRow()
      const create = world.store.fleets.create(second, principalRow(second.id, { id: owner.id }))
      await expect(create).rejects.toMatchObject({ code: 'conflict' })
      expect(await world.store.fleets.get(second.id)).toBeUndefined()
    })

    it('gives the slug to one of many who ask at the same moment', async () => {
      await using world = await open()
      const asked = Array.from({ length: 10 }, () => fleetRow({ slug: 'same' }))
      const made = await Promise.allSettled(
        asked.map((fleet) => world.store.fleets.create(fleet, principalRow(fleet.id))),
      )
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })

    it('finds the oldest fleet first', async () => {
      await using world = await open()
      const younger = fleetRow({ createdAt: at(20) })
      const older = fleetRow({ createdAt: at(10) })
      await world.store.fleets.create(younger, principalRow(younger.id))
      await world.store.fleets.create(older, principalRow(older.id))
      expect(await world.store.fleets.first()).toEqual(older)
    })

    it('keeps for whom a principal acts, and refuses an unknown one', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const operator = principalRow(fleet.id, { kind: 'ai', role: 'member', actsForId: owner.id })
      await world.store.principals.create(operator)
      expect(await world.store.principals.get(operator.id)).toEqual(operator)
      const orphan = principalRow(fleet.id, { actsForId: newId('principal') })
      await expect(world.store.principals.create(orphan)).rejects.toMatchObject({ code: 'not_found' })
    })
  })
}
