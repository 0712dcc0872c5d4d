import { sql } from 'kysely'
import type {
  DecideFleetRun,
  FleetRunProgress,
  FleetRunRow,
  FleetRunStore,
  FleetRunTargetRow,
} from '../fleet-run-store.ts'
import type { Database, Tables } from './tables.ts'
import { isBehind } from './newest-first.ts'

/** Machines in one statement: far below what a statement has parameters. */
const INSERTED_AT_ONCE = 500

/** {@link FleetRunStore} in SQL. */
export function createFleetRunStore(db: Database): FleetRunStore {
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
    get: (runId) => getRun(db, runId),
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
    standing: async (runId) =>
      await db
        .selectFrom('fleetRuns')
        .select(['fleetId', 'principalId', 'state', 'generation'])
        .where('id', '=', runId)
        .executeTakeFirst(),
    change: async (runId, at, decide) =>
      db.transaction().execute((transaction) => changeRun(transaction, runId, at, decide)),
    claim: async (runId, { at, again }, decide) =>
      db.transaction().execute(async (transaction) => {
        const run = await changeRun(transaction, runId, at, decide)
        if (run === undefined || again === undefined) return run
        const machines = standing(transaction, runId).select('targets.machineId').where('outcomes.outcome', 'in', again)
        await transaction
          .updateTable('fleetRunTargets')
          .set({ generation: run.generation })
          .where('runId', '=', runId)
          .where('machineId', 'in', machines)
          .execute()
        return run
      }),
    record: async (runId, progress, decide) => {
      const { epoch, at: updatedAt } = progress
      if (decide !== undefined)
        return db.transaction().execute(async (transaction) => {
          const run = await changeRun(transaction, runId, updatedAt, decide)
          if (run !== undefined) await insertOutcomes(transaction, runId, progress)
          return run
        })
      // Each holds for its epoch by itself, and both go into one commit. A transaction would have every other writer wait for its ways.
      const [, row] = await Promise.all([
        insertOutcomes(db, runId, progress),
        db
          .updateTable('fleetRuns')
          .set({ updatedAt })
          .where('id', '=', runId)
          .where('epoch', '=', epoch)
          .returningAll()
          .executeTakeFirst(),
      ])
      return row && fromTable(row)
    },
  }
}

async function getRun(on: Database, runId: string): Promise<FleetRunRow | undefined> {
  const row = await on.selectFrom('fleetRuns').selectAll().where('id', '=', runId).executeTakeFirst()
  return row && fromTable(row)
}

async function changeRun(
  transaction: Database,
  runId: string,
  updatedAt: string,
  decide: DecideFleetRun,
): Promise<FleetRunRow | undefined> {
  const run = await getRun(transaction, runId)
  if (run === undefined) return undefined
  const { stop = run.stop, wait = run.wait, ...change } = decide(run)
  const after = { ...run, ...change, stop, wait, updatedAt }
  const json = { stop: textOrNull(stop), wait: textOrNull(wait) }
  await transaction
    .updateTable('fleetRuns')
    .set({ ...change, ...json, updatedAt })
    .where('id', '=', runId)
    .execute()
  return after
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
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

/** What is there already stays, and nothing is written for another epoch than the run's. */
async function insertOutcomes(
  db: Database,
  runId: string,
  { epoch, at, rows }: Pick<FleetRunProgress, 'epoch' | 'at' | 'rows'>,
): Promise<void> {
  if (rows.length === 0) return
  const given = sql.join(rows.map(({ machineId, outcome, row }) => sql`(${machineId}, ${outcome}, ${row})`))
  await sql`
    with given (machine_id, outcome, row) as (values ${given})
    insert into fleet_run_outcomes (run_id, machine_id, generation, at, outcome, row)
    select targets.run_id, targets.machine_id, targets.generation, ${at}, given.outcome, given.row
    from given
    join fleet_run_targets targets on targets.run_id = ${runId} and targets.machine_id = given.machine_id
    join fleet_runs runs on runs.id = targets.run_id and runs.epoch = ${epoch}
    where true
    on conflict do nothing`.execute(db)
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
    .where(isBehind('createdAt', after))
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
  return { ...run, stop: textOrNull(run.stop), wait: textOrNull(run.wait) }
}

function fromTable(row: Tables['fleetRuns']): FleetRunRow {
  const { stop, wait } = row
  return {
    ...row,
    stop: stop === null ? null : (JSON.parse(stop) as FleetRunRow['stop']),
    wait: wait === null ? null : (JSON.parse(wait) as FleetRunRow['wait']),
  }
}
