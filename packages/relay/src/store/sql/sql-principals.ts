import type { Selectable, Transaction } from 'kysely'
import { type NewPrincipal, type PrincipalRow, type PrincipalStore, roles, type Role } from '../store.ts'
import { keepingOwners } from './fleet-owners.ts'
import { endLent } from './sql-lent.ts'
import type { Database, Lookup, Tables } from './tables.ts'

type TableRow = Selectable<Tables['principals']>

/** {@link PrincipalStore} in SQL. */
export function createPrincipalStore(db: Database, lookup: Lookup): PrincipalStore {
  const ofKey = db
    .selectFrom('principals')
    .selectAll()
    .where('id', '=', (eb) => eb.selectFrom('apiKeys').select('principalId').where('apiKeys.id', '=', ''))
    .compile()
  const byId = db.selectFrom('principals').selectAll().where('id', '=', '').compile()
  const membersOf = (fleetId: string) =>
    db
      .selectFrom('principals')
      .where('fleetId', '=', fleetId)
      .where('kind', '=', 'human')
      .where('removedAt', 'is', null)
  return {
    create: async (principal) => {
      await db.insertInto('principals').values(principalToTable(principal)).execute()
    },
    // Every request waits for these: the statement is compiled once, and only its parameter changes.
    get: async (principalId) => fromTable(await lookup<TableRow>({ ...byId, parameters: [principalId] })),
    ofKey: async (keyId) => fromTable(await lookup<TableRow>({ ...ofKey, parameters: [keyId] })),
    members: async (fleetId, { offset, limit }) => {
      const ordered = membersOf(fleetId).selectAll().orderBy('createdAt').orderBy('id')
      const [rows, { total }] = await Promise.all([
        ordered.limit(limit).offset(offset).execute(),
        membersOf(fleetId)
          .select((eb) => eb.fn.countAll().as('total'))
          .executeTakeFirstOrThrow(),
      ])
      return { items: rows.map(known), total: Number(total) }
    },
    memberByEmail: async (fleetId, email) =>
      fromTable(
        await membersOf(fleetId).selectAll().where('email', '=', email.toLowerCase()).limit(1).executeTakeFirst(),
      ),
    forSignIn: async (email, fleet) =>
      fromTable(
        await db
          .selectFrom('principals')
          .innerJoin('fleets', 'fleets.id', 'principals.fleetId')
          .selectAll('principals')
          .where('principals.email', '=', email.toLowerCase())
          .where('principals.kind', '=', 'human')
          .where('principals.removedAt', 'is', null)
          .where('principals.personId', 'is', null)
          .where('fleets.disabledAt', 'is', null)
          .$if(fleet !== undefined, (q) =>
            q.where((eb) => eb.or([eb('fleets.id', '=', fleet ?? ''), eb('fleets.slug', '=', fleet ?? '')])),
          )
          .orderBy('fleets.createdAt')
          .orderBy('fleets.id')
          .limit(1)
          .executeTakeFirst(),
      ),
    ofPerson: async (personId, fleetId) =>
      fromTable(
        await membersOf(fleetId)
          .selectAll()
          .where((eb) => eb.or([eb('personId', '=', personId), eb('id', '=', personId)]))
          .where((eb) =>
            eb.exists(
              eb
                .selectFrom('fleets')
                .select('fleets.id')
                .where('fleets.id', '=', fleetId)
                .where('disabledAt', 'is', null),
            ),
          )
          .limit(1)
          .executeTakeFirst(),
      ),
    changeMember: async (member, { groups, ...change }) => {
      const set = { ...change, ...(groups === undefined ? {} : { groups: JSON.stringify(groups) }) }
      return await db.transaction().execute(async (transaction) =>
        keepingOwners(transaction, { fleetId: member.fleetId, alsoOf: undefined }, async () => {
          const before = await transaction
            .selectFrom('principals')
            .select('role')
            .where('id', '=', member.id)
            .executeTakeFirst()
          await update(transaction, member, set)
          const isLowered = before !== undefined && change.role !== undefined && isBelow(change.role, before.role)
          return isLowered ? await endLent(transaction, member, new Date().toISOString()) : []
        }),
      )
    },
    removeMember: async (member, at) =>
      await db.transaction().execute(async (transaction) =>
        keepingOwners(transaction, { fleetId: member.fleetId, alsoOf: { personId: member.id } }, async () => {
          await update(transaction, member, { removedAt: at })
          const own = await transaction
            .updateTable('apiKeys')
            .set({ revokedAt: at })
            .where('principalId', '=', member.id)
            .where('revokedAt', 'is', null)
            .returning('id')
            .execute()
          return [...own.map(({ id }) => id), ...(await endLent(transaction, member, at))]
        }),
      ),
    confirm: async (principalId, at) => {
      await db.updateTable('principals').set({ confirmedAt: at }).where('id', '=', principalId).execute()
    },
    controlChanged: async (principalId, at) => {
      await db
        .updateTable('principals')
        .set({ controlChangedAt: at })
        .where('id', '=', principalId)
        .where((eb) => eb.or([eb('controlChangedAt', 'is', null), eb('controlChangedAt', '<', at)]))
        .execute()
    },
  }
}

async function update(
  transaction: Transaction<Tables>,
  { id, fleetId }: Pick<PrincipalRow, 'id' | 'fleetId'>,
  set: Partial<TableRow>,
): Promise<void> {
  await transaction
    .updateTable('principals')
    .set(set)
    .where('id', '=', id)
    .where('fleetId', '=', fleetId)
    .where('removedAt', 'is', null)
    .execute()
}

function isBelow(role: Role, other: Role): boolean {
  return roles.indexOf(role) > roles.indexOf(other)
}

/** A row of the table. */
export function principalToTable(principal: NewPrincipal): TableRow {
  const { groups = [], email = null, invitedById = null, removedAt = null, personId = null, ...kept } = principal
  const { confirmedAt = null, controlChangedAt = null, ...row } = kept
  const words = { email: email?.toLowerCase() ?? null, groups: JSON.stringify(groups) }
  return { ...row, ...words, invitedById, removedAt, personId, confirmedAt, controlChangedAt }
}

function fromTable(row: TableRow | undefined): PrincipalRow | undefined {
  return row === undefined ? undefined : known(row)
}

function known({ groups, ...row }: TableRow): PrincipalRow {
  return { ...row, groups: JSON.parse(groups) as string[] }
}
