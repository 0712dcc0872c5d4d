import type { PageSessionStore } from '../notification-store.ts'
import type { Database } from './tables.ts'

/** {@link PageSessionStore} in SQL. */
export function createPageSessionStore(db: Database): PageSessionStore {
  return {
    create: async (session, now) => {
      await db.deleteFrom('pageSessions').where('expiresAt', '<=', now).execute()
      await db.insertInto('pageSessions').values(session).execute()
    },
    get: async (secretHash, now) =>
      await db
        .selectFrom('pageSessions')
        .selectAll()
        .where('secretHash', '=', secretHash)
        .where('expiresAt', '>', now)
        .executeTakeFirst(),
    remove: async (secretHash) => {
      await db.deleteFrom('pageSessions').where('secretHash', '=', secretHash).execute()
    },
  }
}
