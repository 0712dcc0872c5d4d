import { describe, expect, it } from 'vitest'
import { addFleet, at, keyRow, newId, type OpenStore, principalRow } from './world.ts'

/** API keys and tickets. */
export function describeKeys(open: OpenStore): void {
  describe('keys', () => {
    it('gives a key back as it was given, and nothing for an unknown one', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const key = keyRow(owner, { expiresAt: at(60) })
      await world.store.keys.create(key)
      expect(await world.store.keys.get(key.id)).toEqual(key)
      expect(await world.store.keys.get(newId('key'))).toBeUndefined()
      expect(await world.store.principals.ofKey(key.id)).toEqual(owner)
      expect(await world.store.principals.ofKey(newId('key'))).toBeUndefined()
    })

    it('refuses an id that is taken and a principal that is not there', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const key = keyRow(owner)
      await world.store.keys.create(key)
      await expect(world.store.keys.create(key)).rejects.toMatchObject({ code: 'conflict' })
      const orphan = keyRow(owner, { principalId: newId('principal') })
      await expect(world.store.keys.create(orphan)).rejects.toMatchObject({ code: 'not_found' })
    })

    it('lists the keys of one fleet, newest first, then by id, in pages with the total', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { owner: stranger } = await addFleet(world.store)
      const [first, second, third] = [keyRow(owner), keyRow(owner, { createdAt: at(9) }), keyRow(owner)]
      for (const key of [first, second, third, keyRow(stranger)]) await world.store.keys.create(key)
      const list = async (offset: number, limit: number) => await world.store.keys.list(fleet.id, { offset, limit })
      expect(await list(0, 10)).toEqual({ items: [second, first, third], total: 3 })
      expect(await list(1, 1)).toEqual({ items: [first], total: 3 })
      expect(await list(3, 5)).toEqual({ items: [], total: 3 })
    })

    it('lists those of a person with those of what acts for it', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const [operator, other] = [
        principalRow(fleet.id, { kind: 'ai', actsForId: owner.id }),
        principalRow(fleet.id, { kind: 'human' }),
      ]
      for (const principal of [operator, other]) await world.store.principals.create(principal)
      const [own, acting, foreign] = [keyRow(owner, { createdAt: at(9) }), keyRow(operator), keyRow(other)]
      for (const key of [own, acting, foreign]) await world.store.keys.create(key)
      const filter = { personId: owner.id, offset: 0, limit: 10 }
      expect(await world.store.keys.list(fleet.id, filter)).toEqual({ items: [own, acting], total: 2 })
    })

    it('revokes a key once, and only for its own fleet', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { fleet: other } = await addFleet(world.store)
      const key = keyRow(owner, { role: 'admin' })
      await world.store.keys.create(key)
      expect(await world.store.keys.revoke(other.id, key.id, at(1))).toBe(false)
      const revoked = await Promise.all([2, 3, 4].map((time) => world.store.keys.revoke(fleet.id, key.id, at(time))))
      expect(revoked.filter(Boolean)).toHaveLength(1)
      expect(await world.store.keys.revoke(fleet.id, key.id, at(9))).toBe(false)
      expect((await world.store.keys.get(key.id))?.revokedAt).toBe(at(2 + revoked.indexOf(true)))
    })

    it('keeps a key of an owner, also when the last ones are revoked at once', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const { keys, principals } = world.store
      const lesser = principalRow(fleet.id, { role: 'admin' })
      await principals.create(lesser)
      const last = [keyRow(owner), keyRow(owner, { role: 'owner', expiresAt: at(60) })]
      const others = [
        keyRow(owner, { role: 'admin' }),
        keyRow(owner, { expiresAt: at(5) }),
        keyRow(owner, { credential: 'session' }),
        keyRow(owner, { scopes: [{ actions: ['*'], machines: '*' }] }),
        keyRow(lesser, { role: 'owner' }),
      ]
      for (const key of [...last, ...others]) await keys.create(key)
      const ended = await Promise.allSettled(last.map(({ id }) => keys.revoke(fleet.id, id, at(9))))
      const codes = ended.map((end) => (end.status === 'fulfilled' ? end.value : end.reason.code))
      expect(new Set(codes)).toEqual(new Set([true, 'conflict']))
      expect(await Promise.all(others.map(({ id }) => keys.revoke(fleet.id, id, at(9))))).not.toContain(false)
      const left = await Promise.all(last.map(async ({ id }) => (await keys.get(id))?.revokedAt))
      expect(left.filter((revokedAt) => revokedAt === null)).toHaveLength(1)
    })

    it('notes the last use of a key and never moves it back', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const key = keyRow(owner)
      await world.store.keys.create(key)
      for (const time of [5, 8, 6]) await world.store.keys.touch(key.id, at(time))
      expect((await world.store.keys.get(key.id))?.lastUsedAt).toBe(at(8))
    })
  })

  describe('tickets', () => {
    async function withTicket(store: Parameters<typeof addFleet>[0]) {
      const { owner } = await addFleet(store)
      const key = keyRow(owner)
      await store.keys.create(key)
      const ticket = { secretHash: newId('hash'), keyId: key.id, expiresAt: at(30) }
      await store.tickets.create(ticket)
      return ticket
    }

    it('gives a ticket to one of many who take it at the same moment', async () => {
      await using world = await open()
      const ticket = await withTicket(world.store)
      const takes = Array.from({ length: 20 }, () => world.store.tickets.take(ticket.secretHash, at(29)))
      expect((await Promise.all(takes)).filter((taken) => taken !== undefined)).toEqual([ticket])
      expect(await world.store.tickets.take(ticket.secretHash, at(29))).toBeUndefined()
    })

    it('gives no ticket at or after its expiry', async () => {
      await using world = await open()
      const ticket = await withTicket(world.store)
      expect(await world.store.tickets.take(ticket.secretHash, ticket.expiresAt)).toBeUndefined()
    })

    it('forgets expired tickets when another one is taken', async () => {
      await using world = await open()
      const ticket = await withTicket(world.store)
      await world.store.tickets.take(newId('hash'), at(31))
      expect(await world.store.tickets.take(ticket.secretHash, at(0))).toBeUndefined()
    })

    it('leaves the tickets of others alone', async () => {
      await using world = await open()
      const ticket = await withTicket(world.store)
      expect(await world.store.tickets.take(newId('hash'), at(1))).toBeUndefined()
      expect(await world.store.tickets.take(ticket.secretHash, at(1))).toEqual(ticket)
    })
  })
}
