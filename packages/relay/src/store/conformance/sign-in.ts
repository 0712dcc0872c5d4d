import { describe, expect, it } from 'vitest'
import type { InvitationRow } from '../identity.ts'
import type { PrincipalRow } from '../store.ts'
import { addFleet, at, newId, type OpenStore, principalRow } from './world.ts'

function invitationRow(owner: PrincipalRow, change: Partial<InvitationRow> = {}): InvitationRow {
  return {
    id: newId('invitation'),
    fleetId: owner.fleetId,
    secretHash: 'ab'.repeat(32),
    email: 'ann@example.com',
    role: 'member',
    groups: ['ops'],
    invitedById: owner.id,
    createdAt: at(0),
    expiresAt: at(60),
    acceptedAt: null,
    revokedAt: null,
    ...change,
  }
}

/** Invitations, sign-in codes and authenticators. */
export function describeSignIn(open: OpenStore): void {
  describe('an invitation', () => {
    it('is accepted by one of many who come at once, and makes one member', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const invitation = invitationRow(owner)
      await world.store.invitations.create(invitation)
      expect(await world.store.invitations.get(invitation.id)).toEqual(invitation)
      const members = Array.from({ length: 8 }, () => principalRow(fleet.id, { role: 'member', createdAt: at(1) }))
      const accepted = await Promise.all(members.map((member) => world.store.invitations.accept(invitation.id, member)))
      expect(accepted.filter(Boolean)).toHaveLength(1)
      expect((await world.store.principals.members(fleet.id, { offset: 0, limit: 9 })).total).toBe(2)
      expect(await world.store.invitations.open(fleet.id, at(1))).toEqual([])
    })

    it('is not accepted when it has expired or was revoked, nor for an email that is a member’s', async () => {
      await using world = await open()
      const { fleet, owner } = await addFleet(world.store)
      const [late, revoked, taken] = [invitationRow(owner), invitationRow(owner), invitationRow(owner)]
      for (const row of [late, revoked, taken]) await world.store.invitations.create(row)
      expect(await world.store.invitations.revoke('fleet_other', revoked.id, at(1))).toBe(false)
      expect(await world.store.invitations.revoke(fleet.id, revoked.id, at(1))).toBe(true)
      const member = (second: number) => principalRow(fleet.id, { email: 'ann@example.com', createdAt: at(second) })
      expect(await world.store.invitations.accept(late.id, member(60))).toBe(false)
      expect(await world.store.invitations.accept(revoked.id, member(2))).toBe(false)
      await world.store.principals.create(member(2))
      await expect(world.store.invitations.accept(taken.id, member(3))).rejects.toMatchObject({ code: 'conflict' })
      expect((await world.store.invitations.open(fleet.id, at(4))).map(({ id }) => id).sort()).toEqual(
        [late.id, taken.id].sort(),
      )
    })
  })

  describe('a sign-in code', () => {
    const codeRow = (principal: PrincipalRow, createdAt = at(0)) => ({
      id: newId('code'),
      principalId: principal.id,
      codeHash: newId('hash'),
      createdAt,
      expiresAt: at(600),
      attempts: 0,
      lentById: 'principal_1',
    })

    it('is shown to so many tries at most, however many come at once, and taken once', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const code = codeRow(owner)
      await world.store.signInCodes.create(code)
      const limit = { now: at(1), maxAttempts: 5 }
      const tries = await Promise.all(
        Array.from({ length: 20 }, () => world.store.signInCodes.attempt(owner.id, limit)),
      )
      expect(tries.filter((rows) => rows.length > 0)).toHaveLength(5)
      const taken = await Promise.all([1, 2, 3].map(() => world.store.signInCodes.take(code.id)))
      expect(taken.filter(Boolean)).toHaveLength(1)
    })

    it('is one of five at most, and not good when it has expired', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const codes = Array.from({ length: 7 }, (_, index) => codeRow(owner, at(index)))
      for (const code of codes) await world.store.signInCodes.create(code)
      const good = await world.store.signInCodes.attempt(owner.id, { now: at(10), maxAttempts: 5 })
      expect(good.map(({ id }) => id).sort()).toEqual(
        codes
          .slice(2)
          .map(({ id }) => id)
          .sort(),
      )
      expect(await world.store.signInCodes.attempt(owner.id, { now: at(600), maxAttempts: 5 })).toEqual([])
    })
  })

  describe('an authenticator', () => {
    it('is another one until it is confirmed, and takes each step once, in order', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const { totp } = world.store
      expect(await totp.propose(owner.id, 'first')).toBe(true)
      expect(await totp.propose(owner.id, 'second')).toBe(true)
      expect(await totp.take(owner.id, 7, at(1))).toBe(true)
      expect(await totp.get(owner.id)).toEqual({
        principalId: owner.id,
        secret: 'second',
        confirmedAt: at(1),
        lastStep: 7,
        attempts: 0,
        lockouts: 0,
        lockedUntil: null,
      })
      expect(await totp.propose(owner.id, 'third')).toBe(false)
      const taken = await Promise.all([8, 8, 8].map((step) => totp.take(owner.id, step)))
      expect(taken.filter(Boolean)).toHaveLength(1)
      expect(await totp.take(owner.id, 7)).toBe(false)
      await totp.remove(owner.id)
      expect(await totp.get(owner.id)).toBeUndefined()
    })

    it('is locked after so many tries, however many come at once, each time for longer until a right one', async () => {
      await using world = await open()
      const { owner } = await addFleet(world.store)
      const { totp } = world.store
      const lockUntil = (lockouts: number) => at(100 * 2 ** lockouts)
      const tries = async (second: number, count: number) => {
        const limit = { now: at(second), maxAttempts: 5, lockUntil }
        const rows = await Promise.all(Array.from({ length: count }, () => totp.attempt(owner.id, limit)))
        return rows.filter((row) => row?.secret === 'secret').length
      }
      expect(await tries(0, 1)).toBe(0)
      await totp.propose(owner.id, 'secret')
      await totp.take(owner.id, 1, at(0))
      expect(await tries(1, 20)).toBe(5)
      expect(await totp.get(owner.id)).toMatchObject({ attempts: 0, lockouts: 1, lockedUntil: at(100) })
      expect([await tries(99, 1), await tries(100, 9)]).toEqual([0, 5])
      expect(await totp.get(owner.id)).toMatchObject({ lockouts: 2, lockedUntil: at(200) })
      expect(await totp.take(owner.id, 2)).toBe(true)
      expect(await totp.get(owner.id)).toMatchObject({ attempts: 0, lockouts: 0, lockedUntil: null })
    })
  })
}
