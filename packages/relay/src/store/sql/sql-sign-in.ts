import type { Selectable } from 'kysely'
import type { InvitationRow, InvitationStore, SignInCodeStore, TotpStore } from '../identity.ts'
import type { Seal } from '../seal.ts'
import { principalToTable } from './sql-principals.ts'
import type { Database, Tables } from './tables.ts'

/** Codes of one member that may be good at once: an admin's is not pushed out by one that somebody had sent by mail. */
const CODES_AT_ONCE = 5

/** {@link InvitationStore} in SQL. */
export function createInvitationStore(db: Database): InvitationStore {
  return {
    create: async ({ groups, ...row }) => {
      await db
        .insertInto('invitations')
        .values({ ...row, groups: JSON.stringify(groups) })
        .execute()
    },
    get: async (invitationId) => {
      const row = await db.selectFrom('invitations').selectAll().where('id', '=', invitationId).executeTakeFirst()
      return row === undefined ? undefined : invitation(row)
    },
    open: async (fleetId, now) => {
      const rows = await db
        .selectFrom('invitations')
        .selectAll()
        .where('fleetId', '=', fleetId)
        .where('expiresAt', '>', now)
        .where('acceptedAt', 'is', null)
        .where('revokedAt', 'is', null)
        .orderBy('createdAt', 'desc')
        .orderBy('id')
        .execute()
      return rows.map(invitation)
    },
    // One row is written first, so that one of those who come at once wins.
    accept: async (invitationId, member) =>
      await db.transaction().execute(async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable('invitations')
          .set({ acceptedAt: member.createdAt })
          .where('id', '=', invitationId)
          .where('expiresAt', '>', member.createdAt)
          .where('acceptedAt', 'is', null)
          .where('revokedAt', 'is', null)
          .executeTakeFirst()
        if (numUpdatedRows !== 1n) return false
        await transaction.insertInto('principals').values(principalToTable(member)).execute()
        return true
      }),
    revoke: async (fleetId, invitationId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('invitations')
        .set({ revokedAt: at })
        .where('id', '=', invitationId)
        .where('fleetId', '=', fleetId)
        .where('acceptedAt', 'is', null)
        .where('revokedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
  }
}

function invitation({ groups, ...row }: Selectable<Tables['invitations']>): InvitationRow {
  return { ...row, groups: JSON.parse(groups) as string[] }
}

/** {@link SignInCodeStore} in SQL. */
export function createSignInCodeStore(db: Database): SignInCodeStore {
  return {
    create: async (code) => {
      await db.transaction().execute(async (transaction) => {
        const { principalId } = code
        const kept = transaction
          .selectFrom('signInCodes')
          .select('id')
          .where('principalId', '=', principalId)
          .where('expiresAt', '>', code.createdAt)
          .orderBy('createdAt', 'desc')
          .orderBy('id')
          .limit(CODES_AT_ONCE - 1)
        await transaction
          .deleteFrom('signInCodes')
          .where('principalId', '=', principalId)
          .where('id', 'not in', kept)
          .execute()
        await transaction.insertInto('signInCodes').values(code).execute()
      })
    },
    attempt: async (principalId, { now, maxAttempts }) =>
      await db
        .updateTable('signInCodes')
        .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
        .where('principalId', '=', principalId)
        .where('expiresAt', '>', now)
        .where('attempts', '<', maxAttempts)
        .returningAll()
        .execute(),
    take: async (codeId) => {
      const { numDeletedRows } = await db.deleteFrom('signInCodes').where('id', '=', codeId).executeTakeFirst()
      return numDeletedRows === 1n
    },
  }
}

/** Of an authenticator of which no wrong code was tried. */
const untried = { attempts: 0, lockouts: 0, lockedUntil: null }

/** {@link TotpStore} in SQL. */
export function createTotpStore(db: Database, seal: Seal): TotpStore {
  const placeOf = (principalId: string) => `totp.secret:${principalId}`
  return {
    get: async (principalId) => {
      const row = await db.selectFrom('totp').selectAll().where('principalId', '=', principalId).executeTakeFirst()
      return row === undefined ? undefined : { ...row, secret: seal.open(row.secret, placeOf(principalId)) }
    },
    propose: async (principalId, plain) => {
      const secret = seal.close(plain, placeOf(principalId))
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('totp')
        .values({ principalId, secret, confirmedAt: null, lastStep: 0, ...untried })
        .onConflict((on) =>
          on
            .column('principalId')
            .doUpdateSet({ secret, lastStep: 0, ...untried })
            .where('totp.confirmedAt', 'is', null),
        )
        .executeTakeFirst()
      return numInsertedOrUpdatedRows === 1n
    },
    // Its row is written first, so that of those who come at once each is counted.
    attempt: async (principalId, { now, maxAttempts, lockUntil }) =>
      await db.transaction().execute(async (transaction) => {
        const row = await transaction
          .updateTable('totp')
          .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
          .where('principalId', '=', principalId)
          .where((eb) => eb.or([eb('lockedUntil', 'is', null), eb('lockedUntil', '<=', now)]))
          .returningAll()
          .executeTakeFirst()
        if (row === undefined) return undefined
        const open = { ...row, secret: seal.open(row.secret, placeOf(principalId)) }
        if (row.attempts < maxAttempts) return open
        const lock = { attempts: 0, lockouts: row.lockouts + 1, lockedUntil: lockUntil(row.lockouts) }
        await transaction.updateTable('totp').set(lock).where('principalId', '=', principalId).execute()
        return { ...open, ...lock }
      }),
    take: async (principalId, step, confirmedAt) => {
      const { numUpdatedRows } = await db
        .updateTable('totp')
        .set({ lastStep: step, ...untried, ...(confirmedAt === undefined ? {} : { confirmedAt }) })
        .where('principalId', '=', principalId)
        .where('lastStep', '<', step)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    remove: async (principalId) => {
      await db.deleteFrom('totp').where('principalId', '=', principalId).execute()
    },
  }
}
