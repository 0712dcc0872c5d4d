import { type CompiledQuery, type Selectable, sql, type SqlBool, type Transaction } from 'kysely'
import type { ScheduleResultRow, ScheduleRunRow, ScheduleStore, ScheduleWork } from '../schedule-store.ts'
import { isBehind } from './newest-first.ts'
import type { Database, Run, Tables } from './tables.ts'

/** Machines in one statement. */
const INSERTED_AT_ONCE = 500

/** Runs that are forgotten at once. */
const PRUNED_AT_ONCE = 1000

/** As it is in the condition of the index, so that the database finds that this is its own. */
const RUNNING = sql.lit('running' as const)

const OVER = (['success', 'failed', 'cancelled', 'missed', 'skipped'] as const).map((status) => sql.lit(status))

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
export function createScheduleRuns(db: Database, run: Run): Runs {
  return { ...leasesIn(db), ...endsIn(db, run), ...resultsIn(db, run), ...readsIn(db) }
}

function leasesIn(db: Database): Pick<Runs, 'renew' | 'release' | 'releaseFormer' | 'abandoned' | 'cancelled'> {
  const own = (relayInstance: string) =>
    db.updateTable('scheduleRuns').where('status', '=', RUNNING).where('relayInstance', '=', relayInstance)
  return {
    renew: async (runIds, { relayInstance, leaseUntil }) => {
      const owned: string[] = []
      for (let next = 0; next < runIds.length; next += INSERTED_AT_ONCE) {
        const rows = await own(relayInstance)
          .set({ leaseUntil })
          .where('id', 'in', runIds.slice(next, next + INSERTED_AT_ONCE))
          .returning('id')
          .execute()
        owned.push(...rows.map(({ id }) => id))
      }
      return owned
    },
    release: async (relayInstance, at) => {
      await own(relayInstance).set({ leaseUntil: at }).execute()
    },
    releaseFormer: async (relayInstance, at, silent) => {
      const [name = ''] = relayInstance.split('/')
      await db
        .updateTable('scheduleRuns')
        .set({ leaseUntil: at })
        .where('status', '=', RUNNING)
        // The sign after the slash ends what begins with the name and a slash.
        .where('relayInstance', '>=', `${name}/`)
        .where('relayInstance', '<', `${name}0`)
        .where('relayInstance', '!=', relayInstance)
        .where('leaseUntil', '<', silent)
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

function endsIn(db: Database, run: Run): Pick<Runs, 'cancel' | 'finish' | 'told' | 'prune'> {
  // Many end at once, and others wait to begin: each statement is compiled once, and only its parameters change.
  const finished = db
    .updateTable('scheduleRuns')
    .set({ status: 'success', finishedAt: '', error: '', errorCode: '', counts: '', work: sql.lit(null) })
    .where('id', '=', '')
    .where('status', '=', RUNNING)
    .where('relayInstance', '=', '')
    .compile()
  const last = db
    .updateTable('schedules')
    .set({ lastRunAt: '', lastStatus: 'success', lastError: '' })
    .where('id', '=', '')
    .compile()
  // One runs at a time: who began last ended last.
  const forgotten = [forgetIn(db, 'startedAt', 'is not'), forgetIn(db, 'createdAt', 'is')]
  return {
    cancel: async (runId, at) => {
      const one = db.updateTable('scheduleRuns').where('id', '=', runId)
      const ended = { status: 'cancelled', finishedAt: at, cancelRequestedAt: at, work: null } as const
      const waiting = await one.set(ended).where('status', '=', 'pending').executeTakeFirst()
      if (waiting.numUpdatedRows === 1n) return 'cancelled'
      const running = await one.set({ cancelRequestedAt: at }).where('status', '=', 'running').executeTakeFirst()
      return running.numUpdatedRows === 1n ? 'running' : undefined
    },
    finish: async ({ id, scheduleId, relayInstance, startedAt }, { status, finishedAt, error, errorCode, counts }) => {
      const end = [status, finishedAt, error, errorCode, JSON.stringify(counts)]
      if ((await run({ ...finished, parameters: [...end, id, relayInstance] })) !== 1) return false
      await run({ ...last, parameters: [startedAt, status, error === '' ? null : error, scheduleId] })
      return true
    },
    told: async (runIds) => {
      if (runIds.length > 0) await db.updateTable('scheduleRuns').set({ isTold: 1 }).where('id', 'in', runIds).execute()
    },
    prune: async (scheduleId, keep) => {
      for (const some of forgotten) {
        const parameters = [scheduleId, scheduleId, Math.max(0, keep - 1)]
        while ((await run({ ...some, parameters })) === PRUNED_AT_ONCE);
      }
    },
  }
}

/** Forgets some of what began, or did not, before the oldest that is kept. Parameters: the schedule, twice, and how many newer ones there are. */
function forgetIn(db: Database, column: 'startedAt' | 'createdAt', began: 'is' | 'is not'): CompiledQuery {
  const over = db
    .selectFrom('scheduleRuns')
    .where('scheduleId', '=', '')
    .where('status', 'in', OVER)
    .where('startedAt', began, null)
  const kept = over.select(column).orderBy(column, 'desc').limit(sql.lit(1)).offset(0)
  const old = over.select('id').where(column, '<', kept).where('isTold', '=', sql.lit(1))
  return db
    .deleteFrom('scheduleRuns')
    .where('id', 'in', old.limit(sql.lit(PRUNED_AT_ONCE)))
    .compile()
}

function resultsIn(db: Database, run: Run): Pick<Runs, 'addResults' | 'count' | 'saveResult' | 'results'> {
  // Runs wait for these: each statement is compiled once, and only its parameters change.
  const sample = Object.fromEntries(RESULT_COLUMNS.map((column) => [column, ''])) as unknown as ResultTable
  const inserted = db.insertInto('scheduleResults').values(sample).compile()
  const { runId: _run, machineId: _machine, ...change } = sample
  const saved = db
    .updateTable('scheduleResults')
    .set(change)
    .where('runId', '=', '')
    .where('machineId', '=', '')
    .where('status', 'in', [sql.lit('pending' as const), sql.lit('running' as const)])
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('scheduleRuns as run')
          .select(sql.lit(1).as('owned'))
          .whereRef('run.id', '=', 'scheduleResults.runId')
          .where('run.status', '=', RUNNING)
          .where('run.relayInstance', '=', ''),
      ),
    )
    .compile()
  const counted = db.updateTable('scheduleRuns').set({ commandCount: 0 }).where('id', '=', '').compile()
  return {
    addResults: async (results) => {
      const rows = results.map(resultToTable)
      const [first] = rows
      if (first === undefined) return
      if (rows.length === 1) await run({ ...inserted, parameters: valuesOf(first) })
      else if (rows.length <= INSERTED_AT_ONCE) await db.insertInto('scheduleResults').values(rows).execute()
      // All or none: who takes the run over takes those that are there for all of its machines.
      else await db.transaction().execute((transaction) => insertInParts(transaction, rows))
    },
    count: async (runId, commandCount) => {
      await run({ ...counted, parameters: [commandCount, runId] })
    },
    saveResult: async (result, relayInstance) => {
      const { runId, machineId, ...row } = resultToTable(result)
      await run({ ...saved, parameters: [...valuesOf(row), runId, machineId, relayInstance] })
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

async function insertInParts(transaction: Transaction<Tables>, rows: readonly ResultTable[]): Promise<void> {
  for (let next = 0; next < rows.length; next += INSERTED_AT_ONCE) {
    const part = rows.slice(next, next + INSERTED_AT_ONCE)
    await transaction.insertInto('scheduleResults').values(part).execute()
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

type ResultTable = Tables['scheduleResults']

/** In the order of the parameters of statements that are compiled once. */
const RESULT_COLUMNS = [
  'runId',
  'machineId',
  'machineName',
  'status',
  'callId',
  'attempts',
  'exitCode',
  'signal',
  'output',
  'outputTruncated',
  'outputBytes',
  'answer',
  'error',
  'errorCode',
  'approvalId',
  'startedAt',
  'finishedAt',
] as const satisfies readonly (keyof ResultTable)[]

function valuesOf(row: Partial<ResultTable>): unknown[] {
  return RESULT_COLUMNS.flatMap((column) => (Object.hasOwn(row, column) ? [row[column]] : []))
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
  return { ...row, outputTruncated: outputTruncated === 1 }
}
