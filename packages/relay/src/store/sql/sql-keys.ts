import { CmdopError, type KeyScope } from '@cmdop/protocol'
import type { Selectable, SelectQueryBuilder, Transaction } from 'kysely'
import type { EnrollmentTokenStore, KeyFilter, KeyRow, KeyStore, NewKey, TicketStore } from '../store.ts'
import { lockFleet } from './fleet-lock.ts'
import type { Database, Lookup, Tables } from './tables.ts'

type TableRow = Selectable<Tables['apiKeys']>
type ReadRow = TableRow & Pick<KeyRow, 'fleetDisabledAt'>

/** {@link KeyStore} in SQL. */
export function createKeyStore(db: Database, lookup: Lookup): KeyStore {
  const byId = withFleet(db.selectFrom('apiKeys').selectAll()).where('id', '=', '').compile()
  const fitting = (fleetId: string, { credential, principalId, personId }: KeyFilter) =>
    db
      .selectFrom('apiKeys')
      .where('fleetId', '=', fleetId)
      .$if(credential !== undefined, (q) => q.where('credential', '=', credential ?? 'key'))
      .$if(principalId !== undefined, (q) => q.where('principalId', '=', principalId ?? ''))
      .$if(personId !== undefined, (q) =>
        q.where('principalId', 'in', (eb) =>
          eb
            .selectFrom('principals')
            .select('id')
            .where((or) => or.or([or('id', '=', personId ?? ''), or('actsForId', '=', personId ?? '')])),
        ),
      )
  return {
    create: async (key) => {
      await db.insertInto('apiKeys').values(keyToTable(key)).execute()
    },
    // Every request waits for this: the statement is compiled once, and only its parameter changes.
    get: async (keyId) => {
      const row = await lookup<ReadRow>({ ...byId, parameters: [keyId] })
      return row === undefined ? undefined : fromTable(row)
    },
    list: async (fleetId, { offset, limit, ...filter }) => {
      const newestFirst = withFleet(fitting(fleetId, filter).selectAll()).orderBy('createdAt', 'desc').orderBy('id')
      const [rows, { total }] = await Promise.all([
        newestFirst.limit(limit).offset(offset).execute(),
        fitting(fleetId, filter)
          .select((eb) => eb.fn.countAll().as('total'))
          .executeTakeFirstOrThrow(),
      ])
      return { items: rows.map(fromTable), total: Number(total) }
    },
    rotate: async (key, until) => await rotate(db, key, until),
    revoke: async (fleetId, keyId, at) => await revoke(db, { fleetId, keyId, at }),
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

/** The old row is written first: it is then locked, and of two who rotate at once the second finds it ended. */
async function rotate(db: Database, key: NewKey & { readonly rotatedFrom: string }, until: string): Promise<boolean> {
  const { rotatedFrom, createdAt } = key
  return await db.transaction().execute(async (transaction) => {
    const isNow = until <= createdAt
    const { numUpdatedRows } = await transaction
      .updateTable('apiKeys')
      .set(isNow ? { revokedAt: createdAt } : { expiresAt: until })
      .where('id', '=', rotatedFrom)
      .where('fleetId', '=', key.fleetId)
      .where('credential', '=', 'key')
      .where('revokedAt', 'is', null)
      .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', createdAt)]))
      .where((eb) =>
        eb.not(
          eb.exists(eb.selectFrom('apiKeys as newer').select('newer.id').where('newer.rotatedFrom', '=', rotatedFrom)),
        ),
      )
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) return false
    await transaction.insertInto('apiKeys').values(keyToTable(key)).execute()
    await transaction.updateTable('apiKeys').set({ parentId: key.id }).where('parentId', '=', rotatedFrom).execute()
    await transaction
      .updateTable('schedules')
      // What was read of it before is claimed by nobody.
      .set((eb) => ({ keyId: key.id, revision: eb('revision', '+', 1) }))
      .where('keyId', '=', rotatedFrom)
      .execute()
    const runs = transaction.updateTable('scheduleRuns').set({ keyId: key.id }).where('keyId', '=', rotatedFrom)
    await runs.where('finishedAt', 'is', null).execute()
    return true
  })
}

/** The row of the fleet is written first: who comes second waits there, and sees what the first did. */
async function revoke(
  db: Database,
  { fleetId, keyId, at }: { fleetId: string; keyId: string; at: string },
): Promise<boolean> {
  return await db.transaction().execute(async (transaction) => {
    await lockFleet(transaction, fleetId)
    const hadOwner = await hasOwnerKey(transaction, fleetId, at)
    const { numUpdatedRows } = await transaction
      .updateTable('apiKeys')
      .set({ revokedAt: at })
      .where('id', '=', keyId)
      .where('fleetId', '=', fleetId)
      .where('revokedAt', 'is', null)
      .executeTakeFirst()
    if (hadOwner && !(await hasOwnerKey(transaction, fleetId, at)))
      throw new CmdopError('conflict', 'This is the last key of an owner; issue another one before you revoke it.')
    return numUpdatedRows === 1n
  })
}

/** Whether there is an API key that is good at that time and with which an owner can do all that owners may. */
async function hasOwnerKey(transaction: Transaction<Tables>, fleetId: string, at: string): Promise<boolean> {
  const key = await transaction
    .selectFrom('apiKeys')
    .innerJoin('principals', 'principals.id', 'apiKeys.principalId')
    .select('apiKeys.id')
    .where('apiKeys.fleetId', '=', fleetId)
    .where('apiKeys.credential', '=', 'key')
    .where('apiKeys.revokedAt', 'is', null)
    .where((eb) => eb.or([eb('apiKeys.expiresAt', 'is', null), eb('apiKeys.expiresAt', '>', at)]))
    .where((eb) => eb.or([eb('apiKeys.role', 'is', null), eb('apiKeys.role', '=', 'owner')]))
    .where('apiKeys.scopes', 'is', null)
    .where('principals.kind', '=', 'human')
    .where('principals.role', '=', 'owner')
    .where('principals.removedAt', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return key !== undefined
}

/** A row of the table. */
export function keyToTable(key: NewKey): TableRow {
  const { credential = 'key', role = null, scopes = null, ipRanges = null, maxTargetsPerRun = null, ...rest } = key
  const { rotatedFrom = null, parentId = null, lentById = null, ip = null, userAgent = null, ...kept } = rest
  const { fleetDisabledAt: _, ...row } = kept
  const json = { scopes: scopes && JSON.stringify(scopes), ipRanges: ipRanges && JSON.stringify(ipRanges) }
  return { ...row, ...json, credential, role, maxTargetsPerRun, rotatedFrom, parentId, lentById, ip, userAgent }
}

/** With when its fleet was disabled: every request asks, so it is no query of its own. */
function withFleet<Row>(query: SelectQueryBuilder<Tables, 'apiKeys', Row>) {
  return query.select((eb) =>
    eb
      .selectFrom('fleets')
      .select('fleets.disabledAt')
      .whereRef('fleets.id', '=', 'apiKeys.fleetId')
      .as('fleetDisabledAt'),
  )
}

function fromTable({ scopes, ipRanges, ...row }: ReadRow): KeyRow {
  return {
    ...row,
    scopes: scopes === null ? null : (JSON.parse(scopes) as KeyScope[]),
    ipRanges: ipRanges === null ? null : (JSON.parse(ipRanges) as string[]),
  }
}

/** {@link EnrollmentTokenStore} in SQL; a token is used by `machines.enroll`. */
export function createEnrollmentTokenStore(db: Database): EnrollmentTokenStore {
  return {
    create: async (token) => {
      await db
        .insertInto('enrollmentTokens')
        .values({ labels: '{}', ...token })
        .execute()
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
