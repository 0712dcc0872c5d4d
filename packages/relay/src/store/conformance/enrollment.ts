import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addFleet, addMachines, at, machineRow, newId, type OpenStore, tokenRow } from './world.ts'

/** Enrolment tokens and how machines use them. */
export function describeEnrollment(open: OpenStore): void {
  describe('enrolment', () => {
    it('adds the machine and counts the use', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const token = tokenRow(owner, { maxUses: 2 })
      await world.store.enrollmentTokens.create(token)
      expect(await world.store.enrollmentTokens.get(token.id)).toEqual(token)
      const machine = machineRow(fleet.id)
      await world.store.machines.enroll(machine, token.id)
      expect(await world.store.machines.get(machine.id)).toEqual(machine)
      expect((await world.store.enrollmentTokens.get(token.id))?.uses).toBe(1)
    })

    it('refuses a token that is unknown, expired, used up or of another fleet', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { owner: stranger } = await addFleet(world.store)
      const expired = tokenRow(owner, { expiresAt: at(50) })
      const used = tokenRow(owner, { uses: 1 })
      const foreign = tokenRow(stranger)
      for (const token of [expired, used, foreign]) await world.store.enrollmentTokens.create(token)
      for (const tokenId of [newId('token'), expired.id, used.id, foreign.id]) {
        const machine = machineRow(fleet.id, { createdAt: at(50) })
        await expect(world.store.machines.enroll(machine, tokenId)).rejects.toMatchObject({ code: 'auth' })
        expect(await world.store.machines.get(machine.id)).toBeUndefined()
      }
    })

    it('refuses a name that is taken in the fleet, and then does not count the use', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { fleet: other, owner: stranger } = await addFleet(world.store)
      await addMachines(world.store, owner, [{ name: 'web-1' }])
      const token = tokenRow(owner)
      await world.store.enrollmentTokens.create(token)
      const second = machineRow(fleet.id, { name: 'web-1' })
      await expect(world.store.machines.enroll(second, token.id)).rejects.toMatchObject({ code: 'conflict' })
      expect((await world.store.enrollmentTokens.get(token.id))?.uses).toBe(0)
      const [elsewhere] = await addMachines(world.store, stranger, [{ name: 'web-1' }])
      expect(elsewhere?.fleetId).toBe(other.id)
    })

    it('never lets a token be used more often than it may, however many enrol at once', async () => {
      await using world = await open()
      const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { minLength: 1, maxLength: 14 })
      const property = fc.asyncProperty(names, fc.integer({ min: 1, max: 6 }), async (wanted, maxUses) => {
        const { fleet, owner } = await addFleet(world.store)
        const token = tokenRow(owner, { maxUses })
        await world.store.enrollmentTokens.create(token)
        const results = await Promise.allSettled(
          wanted.map((name) => world.store.machines.enroll(machineRow(fleet.id, { name }), token.id)),
        )
        const enrolled = wanted.filter((_, index) => results[index]?.status === 'fulfilled')
        expect(enrolled).toHaveLength(Math.min(maxUses, new Set(wanted).size))
        const listed = await world.store.machines.list(fleet.id, { limit: 100 })
        expect(listed.map((machine) => machine.name)).toEqual([...enrolled].sort())
        expect((await world.store.enrollmentTokens.get(token.id))?.uses).toBe(enrolled.length)
        const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
        expect(refusals.every((code) => code === 'auth' || code === 'conflict')).toBe(true)
      })
      await fc.assert(property, { numRuns: 40 })
    })
  })
}
