import { CmdopError } from '@cmdop/protocol'
import { sql } from 'kysely'
import type { MachineRow, MachineStore, NewMachine } from '../store.ts'
import { lockFleet } from './fleet-lock.ts'
import { assertFree, isOf } from './sql-machine-links.ts'
import { resolveMachine } from './sql-machine-reference.ts'
import type { Database, Lookup, SqlEngine } from './tables.ts'

/** Machines in one UPDATE of `seen`: about 3 ms, so that an action that waits for its commit hardly notices. */
const seenAtOnce = 1_000

/** {@link MachineStore} in SQL. */
export function createMachineStore(
  db: Database,
  { engine, lookup }: { engine: SqlEngine; lookup: Lookup },
): MachineStore {
  // Most fleets use none of others, and their lists are one query.
  const anyUsed = db.selectFrom('machineLinks').select('machineId').where('fleetId', '=', '').compile()
  const byId = db.selectFrom('machines').selectAll().where('id', '=', '').compile()
  return {
    enroll: async (machine, tokenId) => await enroll(db, machine, tokenId),
    // Every call waits for this: the statement is compiled once, and only its parameter changes.
    get: async (machineId) => await lookup<MachineRow>({ ...byId, parameters: [machineId] }),
    namesOf: async (fleetId, machineIds) => {
      const rows = await db
        .selectFrom('machines')
        .select(['id', 'name'])
        .where(engine.isAnyOf('id', machineIds))
        .where(isOf(fleetId))
        .where('disabledAt', 'is', null)
        .execute()
      return new Map(rows.map(({ id, name }) => [id, name]))
    },
    list: async (fleetId, page) => {
      const isUsing = (await lookup({ ...anyUsed, parameters: [fleetId] })) !== undefined
      return await listMachines(db, fleetId, { ...page, isUsing })
    },
    resolve: async (fleetId, reference) => await resolveMachine(db, fleetId, reference),
    update: async (machineId, change) => {
      await db.updateTable('machines').set(change).where('id', '=', machineId).execute()
    },
    rename: async (machineId, name) => await rename(db, machineId, name),
    disable: async (machineId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('machines')
        .set({ disabledAt: at })
        .where('id', '=', machineId)
        .where('disabledAt', at === null ? 'is not' : 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    measured: async (machineId, metrics) => {
      await db.updateTable('machines').set({ metrics }).where('id', '=', machineId).execute()
    },
    label: async (machineId, before, labels) => {
      const { numUpdatedRows } = await db
        .updateTable('machines')
        .set({ labels })
        .where('id', '=', machineId)
        .where('labels', '=', before)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    proposeKey: async (machineId, publicKey, nextPublicKey) => {
      const { numUpdatedRows } = await db
        .updateTable('machines')
        .set({ nextPublicKey })
        .where('id', '=', machineId)
        .where('publicKey', '=', publicKey)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    promoteKey: async (machineId, nextPublicKey, at) => {
      const { numUpdatedRows } = await db
        .updateTable('machines')
        .set((eb) => ({
          publicKey: nextPublicKey,
          nextPublicKey: null,
          keyVersion: eb('keyVersion', '+', 1),
          keyRegisteredAt: at,
        }))
        .where('id', '=', machineId)
        .where('nextPublicKey', '=', nextPublicKey)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    quarantine: async (machineId, at) => {
      const { numUpdatedRows } = await db
        .updateTable('machines')
        .set({ quarantinedAt: at })
        .where('id', '=', machineId)
        .where('quarantinedAt', at === null ? 'is not' : 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    seen: async (machineIds, at) => {
      for (let start = 0; start < machineIds.length; start += seenAtOnce) {
        await db
          .updateTable('machines')
          .set({ lastSeenAt: at })
          .where(engine.isAnyOf('id', machineIds.slice(start, start + seenAtOnce)))
          .where((eb) => eb.or([eb('lastSeenAt', 'is', null), eb('lastSeenAt', '<', at)]))
          .execute()
      }
    },
  }
}

/** Of a machine that has never connected. */
const blank = {
  nextPublicKey: null,
  quarantinedAt: null,
  labels: '{}',
  reportedLabels: '{}',
  createdById: null,
  keyVersion: 1,
  keyRegisteredAt: null,
  connectedAt: null,
  connects: null,
  description: null,
  metrics: null,
}

/** The use is counted first: that row is then locked, and who comes second sees the new count. */
async function enroll(db: Database, machine: NewMachine, tokenId: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('enrollmentTokens')
      .set((eb) => ({ uses: eb('uses', '+', 1) }))
      .where('id', '=', tokenId)
      .where('fleetId', '=', machine.fleetId)
      .where('expiresAt', '>', machine.createdAt)
      .where((eb) => eb('uses', '<', eb.ref('maxUses')))
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) {
      throw new CmdopError('auth', 'The enrolment token is unknown, expired or used up; ask for a new one.')
    }
    await assertFree(transaction, { fleetId: machine.fleetId, machineId: machine.id, name: machine.name })
    await transaction
      .insertInto('machines')
      .values({ ...blank, ...machine })
      .execute()
  })
}

/** The rows of its fleets are written first, in one order for all: who takes the name meanwhile waits there. */
async function rename(db: Database, machineId: string, name: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const ofMachine = await transaction
      .selectFrom('machines')
      .select('fleetId')
      .where('id', '=', machineId)
      .unionAll(transaction.selectFrom('machineLinks').select('fleetId').where('machineId', '=', machineId))
      .execute()
    const fleetIds = ofMachine.map(({ fleetId }) => fleetId).toSorted()
    for (const fleetId of fleetIds) await lockFleet(transaction, fleetId)
    for (const fleetId of fleetIds) await assertFree(transaction, { fleetId, machineId, name })
    await transaction.updateTable('machines').set({ name }).where('id', '=', machineId).execute()
  })
}

/** The machines of the fleet and those that it uses are two queries with an index each, of which a page is taken. */
async function listMachines(
  db: Database,
  fleetId: string,
  page: Parameters<MachineStore['list']>[1] & { isUsing: boolean },
): Promise<MachineRow[]> {
  const { limit, after, query, disabled = false, isUsing } = page
  const fitting = () =>
    db
      .selectFrom('machines')
      .selectAll('machines')
      .where('machines.disabledAt', disabled ? 'is not' : 'is', null)
      .$if(after !== undefined, (q) =>
        q.where((eb) =>
          eb(eb.refTuple('machines.name', 'machines.id'), '>', eb.tuple(after?.name ?? '', after?.id ?? '')),
        ),
      )
      .$if(query !== undefined, (q) =>
        q.where((eb) => eb.or([contains('machines.name', query ?? ''), contains('machines.hostname', query ?? '')])),
      )
  const own = fitting().where('machines.fleetId', '=', fleetId).orderBy('name').orderBy('id').limit(limit)
  if (!isUsing) return await own.execute()
  const used = fitting()
    .innerJoin('machineLinks', 'machineLinks.machineId', 'machines.id')
    .where('machineLinks.fleetId', '=', fleetId)
  return await db
    .selectFrom(db.selectFrom(own.as('own')).selectAll().unionAll(used).as('machines'))
    .selectAll()
    .orderBy('name')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Part of a text, in any letter case of ASCII. */
function contains(column: string, part: string) {
  const pattern = `%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
  return sql<boolean>`lower(${sql.ref(column)}) like lower(${pattern}) escape '\\'`
}
