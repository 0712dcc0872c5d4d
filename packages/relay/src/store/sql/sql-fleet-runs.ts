import type { FleetRunProgress, FleetRunRow, FleetRunStore, FleetRunTargetRow } from '../fleet-run-store.ts'
import type { Database, Tables } from './tables.ts'

/** Machines in one statement: far below what a statement has parameters. */
const INSERTED_AT_ONCE = 500

/** {@link FleetRunStore} in SQL. */
export function createFleetRunStore(db: Database): FleetRunStore {
  const get = async (on: Database, runId: string): Promise<FleetRunRow | undefined> => {
    const row = await on.selectFrom('fleetRuns').selectAll().where('id', '=', runId).executeTakeFirst()
    return row && fromTable(row)
  }
  return {
    create: async (run, targets) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('fleetRuns').values(toTable(run)).execute()
        for (let next = 0; next < targets.length; next += INSERTED_AT_ONCE)
          await transaction
            .insertInto('fleetRunTargets')
            .values(targets.slice(next, next + INSERTED_AT_ONCE).map(toTargetTable))
            .execute()
      })
    },
    get: (runId) => get(db, runId),
    list: async (fleetId, page) => (await listRuns(db, fleetId, page)).map(fromTable),
    counts: async (runId) => {
      const rows = await standing(db, runId)
        .select(['outcomes.outcome', (eb) => eb.fn.countAll<number>().as('count')])
        .groupBy('outcomes.outcome')
        .execute()
      const targets = rows.reduce((sum, { count }) => sum + count, 0)
      const known = rows.flatMap(({ outcome, count }) => (outcome === null ? [] : [[outcome, count]]))
      return { ...Object.fromEntries(known), targets }
    },
    targets: async (runId, { from, limit }) =>
      await standing(db, runId)
        .selectAll('targets')
        .select(['outcomes.outcome', 'outcomes.row'])
        .where('targets.position', '>=', from)
        .orderBy('targets.position')
        .limit(limit)
        .execute(),
    claim: async (runId, { at: updatedAt, retry }) =>
      db.transaction().execute(async (transaction) => {
        const run = await get(transaction, runId)
        if (run === undefined) return undefined
        const generation = run.generation + (retry === undefined ? 0 : 1)
        const claimed = { state: 'running', epoch: run.epoch + 1, generation, updatedAt } as const
        const fresh = { stop: null, cancelRequestedAt: null }
        await transaction
          .updateTable('fleetRuns')
          .set({ ...claimed, ...fresh })
          .where('id', '=', runId)
          .execute()
        if (retry === undefined) return { ...run, ...claimed, ...fresh }
        const again = standing(transaction, runId).select('targets.machineId').where('outcomes.outcome', 'in', retry)
        await transaction
          .updateTable('fleetRunTargets')
          .set({ generation })
          .where('runId', '=', runId)
          .where('machineId', 'in', again)
          .execute()
        return { ...run, ...claimed, ...fresh }
      }),
    record: async (runId, { epoch, at, rows, state, stop }) =>
      db.transaction().execute(async (transaction) => {
        const run = await get(transaction, runId)
        if (run?.epoch !== epoch) return undefined
        if (rows.length > 0) await insertOutcomes(transaction, runId, { at, rows })
        const change = { updatedAt: at, ...(state === undefined ? {} : { state }) }
        const why = stop === undefined ? {} : { stop: JSON.stringify(stop) }
        await transaction
          .updateTable('fleetRuns')
          .set({ ...change, ...why })
          .where('id', '=', runId)
          .execute()
        return { ...run, ...change, ...(stop === undefined ? {} : { stop }) }
      }),
    requestCancel: async (runId, cancelRequestedAt) => {
      await db
        .updateTable('fleetRuns')
        .set({ cancelRequestedAt })
        .where('id', '=', runId)
        .where('cancelRequestedAt', 'is', null)
        .execute()
    },
  }
}

/** Machines of a run, each with how it ended in its generation. */
function standing(db: Database, runId: string) {
  return db
    .selectFrom('fleetRunTargets as targets')
    .leftJoin('fleetRunOutcomes as outcomes', (join) =>
      join
        .onRef('outcomes.runId', '=', 'targets.runId')
        .onRef('outcomes.machineId', '=', 'targets.machineId')
        .onRef('outcomes.generation', '=', 'targets.generation'),
    )
    .where('targets.runId', '=', runId)
}

/** What is there already stays. */
async function insertOutcomes(
  db: Database,
  runId: string,
  { at, rows }: Pick<FleetRunProgress, 'at' | 'rows'>,
): Promise<void> {
  const targets = await db
    .selectFrom('fleetRunTargets')
    .select(['machineId', 'generation'])
    .where('runId', '=', runId)
    .where(
      'machineId',
      'in',
      rows.map(({ machineId }) => machineId),
    )
    .execute()
  const generations = new Map(targets.map(({ machineId, generation }) => [machineId, generation]))
  const values = rows.flatMap((row) => {
    const generation = generations.get(row.machineId)
    return generation === undefined ? [] : [{ runId, at, generation, ...row }]
  })
  if (values.length === 0) return
  await db
    .insertInto('fleetRunOutcomes')
    .values(values)
    .onConflict((on) => on.doNothing())
    .execute()
}

async function listRuns(
  db: Database,
  fleetId: string,
  { limit, after, state }: Parameters<FleetRunStore['list']>[1],
): Promise<Tables['fleetRuns'][]> {
  return db
    .selectFrom('fleetRuns')
    .selectAll()
    .where('fleetId', '=', fleetId)
    .$if(state !== undefined, (q) => q.where('state', '=', state ?? 'running'))
    .$if(after !== undefined, (q) =>
      q.where((eb) =>
        eb.or([
          eb('createdAt', '<', after?.createdAt ?? ''),
          eb.and([eb('createdAt', '=', after?.createdAt ?? ''), eb('id', '>', after?.id ?? '')]),
        ]),
      ),
    )
    .orderBy('createdAt', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** How it ended is in another table. */
function toTargetTable(target: FleetRunTargetRow): Tables['fleetRunTargets'] {
  const { runId, position, machineId, name, wave, generation } = target
  return { runId, position, machineId, name, wave, generation }
}

function toTable(run: FleetRunRow): Tables['fleetRuns'] {
  return { ...run, stop: run.stop === null ? null : JSON.stringify(run.stop) }
}

function fromTable(row: Tables['fleetRuns']): FleetRunRow {
  return { ...row, stop: row.stop === null ? null : (JSON.parse(row.stop) as FleetRunRow['stop']) }
}
