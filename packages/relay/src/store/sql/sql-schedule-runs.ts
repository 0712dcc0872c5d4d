import { type Selectable, sql, type SqlBool } from 'kysely'
import type { ScheduleResultRow, ScheduleRunRow, ScheduleStore, ScheduleWork } from '../schedule-store.ts'
import { isBehind } from './newest-first.ts'
import type { Database, Tables } from './tables.ts'

/** Machines in one statement. */
const INSERTED_AT_ONCE = 500

/** Runs that are forgotten at once. */
const PRUNED_AT_ONCE = 1000

/** As it is in the condition of the index, so that the database finds that this is its own. */
const RUNNING = sql.lit('running' as const)

const OVER = ['success', 'failed', 'cancelled', 'missed', 'skipped'] as const

type Runs = Omit<
  ScheduleStore,
  | 'create'
  | 'get'
  | 'list'
  | 'update'
  | 'remove'
  | 'purge'
  | 'due'
  | 'nextDue'
  | 'claim'
  | 'trigger'
  | 'startable'
  | 'start'
  | 'takeOver'
>

/** Runs as they go on, end and are read. */
export function createScheduleRuns(db: Database): Runs {
  return { ...leasesIn(db), ...endsIn(db), ...resultsIn(db), ...readsIn(db) }
}

function leasesIn(db: Database): Pick<Runs, 'renew' | 'release' | 'releaseFormer' | 'abandoned' | 'cancelled'> {
  const own = (relayInstance: string) =>
    db.updateTable('scheduleRuns').where('status', '=', RUNNING).where('relayInstance', '=', relayInstance)
  return {
    renew: async ({ relayInstance, leaseUntil }) => {
      await own(relayInstance).set({ leaseUntil }).execute()
    },
    release: async (relayInstance, at) => {
      await own(relayInstance).set({ leaseUntil: at }).execute()
    },
    releaseFormer: async (relayInstance, at) => {
      const [name = ''] = relayInstance.split('/')
      await db
        .updateTable('scheduleRuns')
        .set({ leaseUntil: at })
        .where('status', '=', RUNNING)
        // The sign after the slash ends what begins with the name and a slash.
        .where('relayInstance', '>=', `${name}/`)
        .where('relayInstance', '<', `${name}0`)
        .where('relayInstance', '!=', relayInstance)
        .execute()
    },
    abandoned: async (now, limit) => {
      const rows = db.selectFrom('scheduleRuns').selectAll().where('status', '=', RUNNING)
      return (await rows.where('leaseUntil', '<=', now).limit(limit).execute()).map(runFromTable)
    },
    cancelled: async (relayInstance) => {
      const rows = await db
        .selectFrom('scheduleRuns')
        .select('id')
        .where('status', '=', RUNNING)
        .where('relayInstance', '=', relayInstance)
        .where('cancelRequestedAt', 'is not', null)
        .execute()
      return rows.map(({ id }) => id)
    },
  }
}

function endsIn(db: Database): Pick<Runs, 'cancel' | 'finish' | 'told' | 'prune'> {
  return {
    cancel: async (runId, at) => {
      const run = db.updateTable('scheduleRuns').where('id', '=', runId)
      const ended = { status: 'cancelled', finishedAt: at, cancelRequestedAt: at, work: null } as const
      const waiting = await run.set(ended).where('status', '=', 'pending').executeTakeFirst()
      if (waiting.numUpdatedRows === 1n) return 'cancelled'
      const running = await run.set({ cancelRequestedAt: at }).where('status', '=', 'running').executeTakeFirst()
      return running.numUpdatedRows === 1n ? 'running' : undefined
    },
    finish: async ({ id, scheduleId, relayInstance, startedAt }, { counts, ...end }) => {
      const { numUpdatedRows } = await db
        .updateTable('scheduleRuns')
        .set({ ...end, counts: JSON.stringify(counts), work: null })
        .where('id', '=', id)
        .where('status', '=', 'running')
        .where('relayInstance', '=', relayInstance)
        .executeTakeFirst()
      if (numUpdatedRows !== 1n) return false
      await db
        .updateTable('schedules')
        .set({ lastRunAt: startedAt, lastStatus: end.status, lastError: end.error === '' ? null : end.error })
        .where('id', '=', scheduleId)
        .execute()
      return true
    },
    told: async (runIds) => {
      if (runIds.length > 0) await db.updateTable('scheduleRuns').set({ isTold: 1 }).where('id', 'in', runIds).execute()
    },
    prune: async (scheduleId, keep) => {
      const over = db.selectFrom('scheduleRuns').select('id').where('scheduleId', '=', scheduleId)
      const old = over.where('status', 'in', OVER).orderBy('createdAt', 'desc').orderBy('id')
      await db.deleteFrom('scheduleRuns').where('id', 'in', old.limit(PRUNED_AT_ONCE).offset(keep)).execute()
    },
  }
}

function resultsIn(db: Database): Pick<Runs, 'addResults' | 'saveResult' | 'results'> {
  return {
    addResults: async (runId, results) => {
      await db.transaction().execute(async (transaction) => {
        for (let next = 0; next < results.length; next += INSERTED_AT_ONCE)
          await transaction
            .insertInto('scheduleResults')
            .values(results.slice(next, next + INSERTED_AT_ONCE).map(resultToTable))
            .execute()
        await transaction
          .updateTable('scheduleRuns')
          .set({ commandCount: results.length })
          .where('id', '=', runId)
          .execute()
      })
    },
    saveResult: async (result) => {
      const { runId, machineId, ...row } = resultToTable(result)
      await db
        .updateTable('scheduleResults')
        .set(row)
        .where('runId', '=', runId)
        .where('machineId', '=', machineId)
        .where('status', 'in', ['pending', 'running'])
        .execute()
    },
    results: async (runId, { limit, after }) => {
      const rows = await db
        .selectFrom('scheduleResults')
        .selectAll()
        .where('runId', '=', runId)
        .$if(after !== undefined, (query) =>
          query.where(
            sql<SqlBool>`(machine_name > ${after?.machineName} or (machine_name = ${after?.machineName} and machine_id > ${after?.machineId}))`,
          ),
        )
        .orderBy('machineName')
        .orderBy('machineId')
        .limit(limit)
        .execute()
      return rows.map(resultFromTable)
    },
  }
}

function readsIn(db: Database): Pick<Runs, 'getRun' | 'runs' | 'untold'> {
  return {
    getRun: async (runId) => {
      const row = await db.selectFrom('scheduleRuns').selectAll().where('id', '=', runId).executeTakeFirst()
      return row && runFromTable(row)
    },
    runs: async (scheduleId, { limit, after }) => {
      const rows = await db
        .selectFrom('scheduleRuns')
        .selectAll()
        .where('scheduleId', '=', scheduleId)
        .where(isBehind('createdAt', after))
        .orderBy('createdAt', 'desc')
        .orderBy('id')
        .limit(limit)
        .execute()
      return rows.map(runFromTable)
    },
    untold: async (limit) => {
      const rows = db
        .selectFrom('scheduleRuns')
        .selectAll()
        .where('isTold', '=', sql.lit(0))
        .where('finishedAt', 'is not', null)
      return (await rows.orderBy('finishedAt').limit(limit).execute()).map(runFromTable)
    },
  }
}

/** A row of the table. */
export function runToTable({ work, counts, isTold, trigger, ...row }: ScheduleRunRow): Tables['scheduleRuns'] {
  const json = { work: work === null ? null : JSON.stringify(work), counts: JSON.stringify(counts) }
  return { ...row, ...json, isTold: Number(isTold), triggerKind: trigger }
}

/** The row of the port. */
export function runFromTable(row: Selectable<Tables['scheduleRuns']>): ScheduleRunRow {
  const { work, counts, isTold, triggerKind: trigger, ...rest } = row
  return {
    ...rest,
    trigger,
    work: work === null ? null : (JSON.parse(work) as ScheduleWork),
    counts: JSON.parse(counts) as Record<string, number>,
    isTold: isTold === 1,
  }
}

function resultToTable({ outputTruncated, ...row }: ScheduleResultRow): Tables['scheduleResults'] {
  return { ...row, outputTruncated: Number(outputTruncated) }
}

function resultFromTable({ outputTruncated, ...row }: Selectable<Tables['scheduleResults']>): ScheduleResultRow {
  return { ...row, outputBytes: Number(row.outputBytes), outputTruncated: outputTruncated === 1 }
}
