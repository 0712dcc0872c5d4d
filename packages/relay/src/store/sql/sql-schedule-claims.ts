import { CmdopError, type ScheduleOverlap } from '@cmdop/protocol'
import { sql, type Transaction } from 'kysely'
import { admit, skipped, type Standing } from '../../schedules/overlap.ts'
import type { ScheduleClaim, ScheduleClaimed, ScheduleLease, ScheduleRunRow, ScheduleStore } from '../schedule-store.ts'
import { runFromTable, runToTable } from './sql-schedule-runs.ts'
import type { Database, Tables } from './tables.ts'

/** Rows in one statement: far below what a statement has parameters. */
const INSERTED_AT_ONCE = 500

type Claims = Pick<ScheduleStore, 'claim' | 'trigger' | 'startable' | 'start' | 'takeOver'>

/** Who does what: each by one statement or one transaction, in which whoever comes second finds nothing to do. */
export function createScheduleClaims(db: Database): Claims {
  return {
    claim: (claims, lease, at) => db.transaction().execute((transaction) => claim(transaction, claims, { lease, at })),
    trigger: (run, overlap) => db.transaction().execute((transaction) => trigger(transaction, run, overlap)),
    startable: async (limit) => {
      const rows = await db
        .selectFrom('scheduleRuns as run')
        .selectAll()
        .where('run.status', '=', sql.lit('pending'))
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('scheduleRuns as other')
                .select('other.id')
                .whereRef('other.scheduleId', '=', 'run.scheduleId')
                .where('other.status', '=', sql.lit('running')),
            ),
          ),
        )
        .where(sql<boolean>`not exists (select 1 from schedule_runs earlier
          where earlier.schedule_id = run.schedule_id and earlier.status = 'pending'
          and (earlier.created_at < run.created_at or (earlier.created_at = run.created_at and earlier.id < run.id)))`)
        .limit(limit)
        .execute()
      return rows.map(runFromTable)
    },
    start: (runId, lease, at) => db.transaction().execute((transaction) => start(transaction, runId, { lease, at })),
    takeOver: async ({ id, relayInstance, leaseUntil }, lease) => {
      const row = await db
        .updateTable('scheduleRuns')
        .set(lease)
        .where('id', '=', id)
        .where('status', '=', 'running')
        .where('relayInstance', '=', relayInstance)
        .where('leaseUntil', '=', leaseUntil)
        .returningAll()
        .executeTakeFirst()
      return row && runFromTable(row)
    },
  }
}

async function claim(
  transaction: Transaction<Tables>,
  claims: readonly ScheduleClaim[],
  { lease, at }: { lease: ScheduleLease; at: string },
): Promise<ScheduleClaimed> {
  const mine = await advance(transaction, claims)
  const taken = claims.filter(({ schedule }) => mine.has(schedule.id))
  const standing = await standingOf(transaction, [...mine])
  const rows: ScheduleRunRow[] = []
  const replaced: string[] = []
  for (const { schedule, runs } of taken) {
    const admitted = admit(runs, { overlap: schedule.overlap, standing: standing(schedule.id), lease, at })
    rows.push(...admitted.runs)
    if (admitted.replaces) replaced.push(schedule.id)
  }
  const cancelled = await replace(transaction, replaced, at)
  const missed = taken.filter(({ runs }) => runs.length > 0 && runs.every(({ status }) => status === 'missed'))
  for (const { schedule, runs } of missed)
    await transaction
      .updateTable('schedules')
      .set({ lastStatus: 'missed', lastError: runs.at(-1)?.error ?? null })
      .where('id', '=', schedule.id)
      .execute()
  const inserted = await insert(transaction, rows)
  return { runs: rows.filter(({ id }) => inserted.has(id)), cancelled }
}

/** Ids of the schedules that nobody else has advanced. */
async function advance(transaction: Transaction<Tables>, claims: readonly ScheduleClaim[]): Promise<Set<string>> {
  if (claims.length === 0) return new Set()
  const given = sql.join(
    claims.map(
      ({ schedule: { id, nextRunAt, revision }, nextRunAt: next }) =>
        sql`(${id}, ${nextRunAt}, cast(${revision} as integer), cast(${next} as text))`,
    ),
  )
  const { rows } = await sql<{ id: string }>`
    with given (id, due_at, revision, next_at) as (values ${given})
    update schedules set next_run_at = given.next_at from given
    where schedules.id = given.id and schedules.next_run_at = given.due_at and schedules.revision = given.revision
      and schedules.is_enabled = 1 and schedules.deleted_at is null
    returning schedules.id`.execute(transaction)
  return new Set(rows.map(({ id }) => id))
}

async function standingOf(
  transaction: Transaction<Tables>,
  scheduleIds: readonly string[],
): Promise<(scheduleId: string) => Standing> {
  if (scheduleIds.length === 0) return () => ({ running: undefined, waiting: 0 })
  const rows = await transaction
    .selectFrom('scheduleRuns')
    .select(['id', 'scheduleId', 'status'])
    .where('status', 'in', ['pending', 'running'])
    .where('scheduleId', 'in', scheduleIds)
    .execute()
  const bySchedule = Map.groupBy(rows, ({ scheduleId }) => scheduleId)
  return (scheduleId) => {
    const own = bySchedule.get(scheduleId) ?? []
    const running = own.find(({ status }) => status === 'running')?.id
    return { running, waiting: own.filter(({ status }) => status === 'pending').length }
  }
}

/** What runs of these schedules is to be cancelled, and what waits is not to run. Gives the ids of what runs. */
async function replace(
  transaction: Transaction<Tables>,
  scheduleIds: readonly string[],
  at: string,
): Promise<string[]> {
  if (scheduleIds.length === 0) return []
  const runs = transaction.updateTable('scheduleRuns').where('scheduleId', 'in', scheduleIds)
  await runs
    .set({
      status: 'skipped',
      finishedAt: at,
      error: 'A later instant had come.',
      errorCode: 'conflict',
      work: null,
      isTold: 1,
    })
    .where('status', '=', 'pending')
    .execute()
  const running = runs.set({ cancelRequestedAt: at }).where('status', '=', 'running').returning('id')
  return (await running.execute()).map(({ id }) => id)
}

async function insert(transaction: Transaction<Tables>, rows: readonly ScheduleRunRow[]): Promise<Set<string>> {
  const inserted = new Set<string>()
  for (let next = 0; next < rows.length; next += INSERTED_AT_ONCE) {
    const added = await transaction
      .insertInto('scheduleRuns')
      .values(rows.slice(next, next + INSERTED_AT_ONCE).map(runToTable))
      .onConflict((on) => on.columns(['scheduleId', 'dueAt']).doNothing())
      .returning('id')
      .execute()
    for (const { id } of added) inserted.add(id)
  }
  return inserted
}

async function trigger(
  transaction: Transaction<Tables>,
  run: ScheduleRunRow,
  overlap: ScheduleOverlap,
): Promise<string[]> {
  if (!(await lock(transaction, run.scheduleId)))
    throw new CmdopError('not_found', 'There is no such schedule in your fleet.')
  const standing = (await standingOf(transaction, [run.scheduleId]))(run.scheduleId)
  const lease = { relayInstance: '', leaseUntil: '' }
  const { runs, replaces } = admit([run], { overlap, standing, lease, at: run.createdAt })
  const [admitted = skipped(run, run.createdAt, '')] = runs
  if (admitted.status === 'skipped')
    throw new CmdopError('conflict', `${admitted.error} Wait for its end, cancel it, or let runs wait: overlap queue.`)
  const cancelled = replaces ? await replace(transaction, [run.scheduleId], run.createdAt) : []
  await transaction.insertInto('scheduleRuns').values(runToTable(run)).execute()
  return cancelled
}

async function start(
  transaction: Transaction<Tables>,
  runId: string,
  { lease, at }: { lease: ScheduleLease; at: string },
): Promise<ScheduleRunRow | undefined> {
  const run = await transaction
    .selectFrom('scheduleRuns')
    .select('scheduleId')
    .where('id', '=', runId)
    .executeTakeFirst()
  if (run === undefined || !(await lock(transaction, run.scheduleId))) return undefined
  if ((await standingOf(transaction, [run.scheduleId]))(run.scheduleId).running !== undefined) return undefined
  const row = await transaction
    .updateTable('scheduleRuns')
    .set({ ...lease, status: 'running', startedAt: at })
    .where('id', '=', runId)
    .where('status', '=', 'pending')
    .returningAll()
    .executeTakeFirst()
  return row && runFromTable(row)
}

/** Writes the row of a schedule as it is: who comes second waits there, and then sees what the first did. False: it is not there. */
async function lock(transaction: Transaction<Tables>, scheduleId: string): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('schedules')
    .set((eb) => ({ revision: eb.ref('revision') }))
    .where('id', '=', scheduleId)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
