import { CmdopError } from '@cmdop/protocol'
import { sql } from 'kysely'
import type { ListedMachine, MachineRow, MachineStore, NewMachine } from '../store.ts'
import { lockFleets } from './fleet-lock.ts'
import { resolveMachine } from './sql-machine-reference.ts'
import type { Database, Lookup, ReadPage, SqlEngine } from './tables.ts'

/** Machines in one UPDATE of `seen`: about 3 ms, so that an action that waits for its commit hardly notices. */
const seenAtOnce = 1_000

/** Names that are looked up one by one at most, which waits for nobody who writes. */
const lookedUp = 20

type NamedMachine = Pick<MachineRow, 'id' | 'name'>

/** {@link MachineStore} in SQL. */
export function createMachineStore(
  db: Database,
  { engine, lookup, readPage }: { engine: SqlEngine; lookup: Lookup; readPage: ReadPage },
): MachineStore {
  const byId = db.selectFrom('machines').selectAll().where('id', '=', '').compile()
  const inFleet = db.selectFrom('machines').select(['id', 'name']).where('id', '=', '').where('fleetId', '=', '')
  const nameOf = inFleet.where('disabledAt', 'is', null).compile()
  const firstPage = pageOf(db, '', { limit: 0 }).compile()
  const pageAfter = pageOf(db, '', { limit: 0, after: { name: '', id: '' } }).compile()
  return {
    enroll: async (machine, tokenId) => await enroll(db, machine, tokenId),
    // Every call waits for this: the statement is compiled once, and only its parameter changes.
    get: async (machineId) => await lookup<MachineRow>({ ...byId, parameters: [machineId] }),
    namesOf: async (fleetId, machineIds) => {
      if (machineIds.length <= lookedUp) {
        const found = machineIds.map((id) => lookup<NamedMachine>({ ...nameOf, parameters: [id, fleetId] }))
        return new Map((await Promise.all(found)).flatMap((row) => (row === undefined ? [] : [[row.id, row.name]])))
      }
      const rows = await db
        .selectFrom('machines')
        .select(['id', 'name'])
        .where(engine.isAnyOf('id', machineIds))
        .where('fleetId', '=', fleetId)
        .where('disabledAt', 'is', null)
        .execute()
      return new Map(rows.map(({ id, name }) => [id, name]))
    },
    list: async (fleetId, page) => {
      const { limit, after, query, disabled = false } = page
      // Those are searched for among all.
      if (query !== undefined || disabled) return await pageOf(db, fleetId, page).execute()
      return after === undefined
        ? await readPage<ListedMachine>({ ...firstPage, parameters: [fleetId, limit] })
        : await readPage<ListedMachine>({ ...pageAfter, parameters: [fleetId, after.name, after.id, limit] })
    },
    resolve: async (fleetId, reference) => await resolveMachine(db, fleetId, reference),
    update: async (machineId, change) => {
      await db.updateTable('machines').set(change).where('id', '=', machineId).execute()
    },
    rename: async (machineId, name) => {
      await db.updateTable('machines').set({ name }).where('id', '=', machineId).execute()
    },
    move: async (machineId, way) => await move(db, machineId, way),
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

/** What lists show: the rest of a row is longer than this. */
const listed = [
  'id',
  'fleetId',
  'name',
  'hostname',
  'os',
  'architecture',
  'agentVersion',
  'publicKey',
  'createdAt',
  'lastSeenAt',
  'disabledAt',
  'nextPublicKey',
  'quarantinedAt',
  'labels',
  'reportedLabels',
  'description',
] as const satisfies readonly (keyof ListedMachine)[]

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
    await transaction
      .insertInto('machines')
      .values({ ...blank, homeFleetId: machine.fleetId, ...machine })
      .execute()
  })
}

/** Both fleets are locked, in one order for all: neither is disabled meanwhile. That a name is free is the table's to say. */
async function move(db: Database, machineId: string, { from, to }: { from: string; to: string }): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await lockFleets(transaction, [from, to])
    const fleet = await transaction.selectFrom('fleets').select('disabledAt').where('id', '=', to).executeTakeFirst()
    if (fleet === undefined || fleet.disabledAt !== null)
      throw new CmdopError('conflict', 'The fleet that the machine would go to is disabled.')
    const { numUpdatedRows } = await transaction
      .updateTable('machines')
      .set({ fleetId: to })
      .where('id', '=', machineId)
      .where('fleetId', '=', from)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw new CmdopError('conflict', 'The machine was moved meanwhile; look where it is.')
  })
}

function pageOf(
  db: Database,
  fleetId: string,
  { limit, after, query, disabled = false }: Parameters<MachineStore['list']>[1],
) {
  return db
    .selectFrom('machines')
    .select(listed)
    .where('fleetId', '=', fleetId)
    .where('disabledAt', disabled ? 'is not' : 'is', null)
    .$if(after !== undefined, (q) =>
      q.where((eb) => eb(eb.refTuple('name', 'id'), '>', eb.tuple(after?.name ?? '', after?.id ?? ''))),
    )
    .$if(query !== undefined, (q) =>
      q.where((eb) => eb.or([contains('name', query ?? ''), contains('hostname', query ?? '')])),
    )
    .orderBy('name')
    .orderBy('id')
    .limit(limit)
}

/** Part of a text, in any letter case of ASCII. */
function contains(column: string, part: string) {
  const pattern = `%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
  return sql<boolean>`lower(${sql.ref(column)}) like lower(${pattern}) escape '\\'`
}
