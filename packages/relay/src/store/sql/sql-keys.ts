import type { EnrollmentTokenStore, KeyRow, KeyStore, TicketStore } from '../store.ts'
import type { Database, Lookup } from './tables.ts'

/** {@link KeyStore} in SQL. */
export function createKeyStore(db: Database, lookup: Lookup): KeyStore {
  const byId = db.selectFrom('apiKeys').selectAll().where('id', '=', '').compile()
  return {
    create: async (key) => {
      await db.insertInto('apiKeys').values(key).execute()
    },
    // Every request waits for this: the statement is compiled once, and only its parameter changes.
    get: async (keyId) => await lookup<KeyRow>({ ...byId, parameters: [keyId] }),
    list: async (fleetId, { offset, limit }) => {
      const ofFleet = db.selectFrom('apiKeys').where('fleetId', '=', fleetId)
      const newestFirst = ofFleet.selectAll().orderBy('createdAt', 'desc').orderBy('id')
      const [items, { total }] = await Promise.all([
        newestFirst.limit(limit).offset(offset).execute(),
        ofFleet.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { items, total: Number(total) }
    },
    revoke: async (fleetId, keyId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('apiKeys')
        .set({ revokedAt: at })
        .where('id', '=', keyId)
        .where('fleetId', '=', fleetId)
        .where('revokedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    touch: async (keyId, at) => {
      await db
        .updateTable('apiKeys')
        .set({ lastUsedAt: at })
        .where('id', '=', keyId)
        .where((eb) => eb.or([eb('lastUsedAt', 'is', null), eb('lastUsedAt', '<', at)]))
        .execute()
    },
  }
}

/** {@link EnrollmentTokenStore} in SQL; a token is used by `machines.enroll`. */
export function createEnrollmentTokenStore(db: Database): EnrollmentTokenStore {
  return {
    create: async (token) => {
      await db.insertInto('enrollmentTokens').values(token).execute()
    },
    get: async (tokenId) =>
      await db.selectFrom('enrollmentTokens').selectAll().where('id', '=', tokenId).executeTakeFirst(),
  }
}

/** {@link TicketStore} in SQL. Taking is one DELETE, so that no two callers can get the same ticket. */
export function createTicketStore(db: Database): TicketStore {
  return {
    create: async (ticket) => {
      await db.insertInto('tickets').values(ticket).execute()
    },
    take: async (secretHash, now) => {
      const gone = await db
        .deleteFrom('tickets')
        .where((eb) => eb.or([eb('secretHash', '=', secretHash), eb('expiresAt', '<=', now)]))
        .returningAll()
        .execute()
      return gone.find((ticket) => ticket.secretHash === secretHash && ticket.expiresAt > now)
    },
  }
}
