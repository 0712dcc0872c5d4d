import type { Selectable } from 'kysely'
import type { ScheduleChange, ScheduleRow, ScheduleStore, ScheduleWork } from '../schedule-store.ts'
import { createScheduleClaims } from './sql-schedule-claims.ts'
import { createScheduleRuns } from './sql-schedule-runs.ts'
import { principalToTable } from './sql-principals.ts'
import type { Database, Run, Tables } from './tables.ts'

type TableRow = Selectable<Tables['schedules']>

/** {@link ScheduleStore} in SQL. */
export function createScheduleStore(db: Database, run: Run): ScheduleStore {
  return { ...schedulesIn(db), ...createScheduleClaims(db), ...createScheduleRuns(db, run) }
}

function schedulesIn(
  db: Database,
): Pick<ScheduleStore, 'create' | 'get' | 'list' | 'update' | 'remove' | 'purge' | 'due' | 'nextDue'> {
  const waiting = () => db.selectFrom('schedules').where('nextRunAt', 'is not', null)
  return {
    create: async (schedule, principal) => {
      await db.transaction().execute(async (transaction) => {
        await transaction.insertInto('principals').values(principalToTable(principal)).execute()
        await transaction.insertInto('schedules').values(toTable(schedule)).execute()
      })
    },
    get: async (scheduleId) => {
      const row = await db.selectFrom('schedules').selectAll().where('id', '=', scheduleId).executeTakeFirst()
      return row && fromTable(row)
    },
    list: async (fleetId, { offset, limit }) => {
      const all = db.selectFrom('schedules').where('fleetId', '=', fleetId).where('deletedAt', 'is', null)
      const [rows, { total }] = await Promise.all([
        all.selectAll().orderBy('createdAt').orderBy('id').limit(limit).offset(offset).execute(),
        all.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow(),
      ])
      return { items: rows.map(fromTable), total: Number(total) }
    },
    update: (schedule, change) => update(db, schedule, change),
    remove: (scheduleId, at) => remove(db, scheduleId, at),
    purge: async () => {
      const active = db.selectFrom('scheduleRuns').select('scheduleId').where('status', 'in', ['pending', 'running'])
      await db.deleteFrom('schedules').where('deletedAt', 'is not', null).where('id', 'not in', active).execute()
    },
    due: async (now, limit) => {
      const rows = waiting().selectAll().where('nextRunAt', '<=', now).orderBy('nextRunAt').limit(limit)
      return (await rows.execute()).map(fromTable)
    },
    nextDue: async () => {
      const row = await waiting().select('nextRunAt').orderBy('nextRunAt').limit(1).executeTakeFirst()
      return row?.nextRunAt ?? undefined
    },
  }
}

async function update(
  db: Database,
  { id, revision }: Pick<ScheduleRow, 'id' | 'revision'>,
  { work, isEnabled, ...change }: ScheduleChange & Pick<ScheduleRow, 'updatedAt'>,
): Promise<ScheduleRow | undefined> {
  return db.transaction().execute(async (transaction) => {
    const row = await transaction
      .updateTable('schedules')
      .set({
        ...change,
        ...(work === undefined ? {} : { work: JSON.stringify(work) }),
        ...(isEnabled === undefined ? {} : { isEnabled: Number(isEnabled) }),
        revision: revision + 1,
      })
      .where('id', '=', id)
      .where('revision', '=', revision)
      .where('deletedAt', 'is', null)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) return undefined
    if (isEnabled === false)
      await transaction
        .updateTable('scheduleRuns')
        .set({ status: 'cancelled', finishedAt: change.updatedAt, error: 'The schedule was paused.', work: null })
        .where('scheduleId', '=', id)
        .where('status', '=', 'pending')
        .where('triggerKind', '!=', 'manual')
        .execute()
    const { actsForId, name } = change
    const principal = { ...(actsForId === undefined ? {} : { actsForId }), ...(name === undefined ? {} : { name }) }
    if (Object.keys(principal).length > 0)
      await transaction.updateTable('principals').set(principal).where('id', '=', id).execute()
    return fromTable(row)
  })
}

async function remove(db: Database, scheduleId: string, at: string): Promise<string[] | undefined> {
  return db.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('schedules')
      .set({ deletedAt: at, nextRunAt: null, isEnabled: 0, updatedAt: at })
      .where('id', '=', scheduleId)
      .where('deletedAt', 'is', null)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) return undefined
    await transaction.updateTable('principals').set({ removedAt: at }).where('id', '=', scheduleId).execute()
    const runs = transaction.updateTable('scheduleRuns').where('scheduleId', '=', scheduleId)
    await runs.set({ status: 'cancelled', finishedAt: at, work: null }).where('status', '=', 'pending').execute()
    const running = runs.set({ cancelRequestedAt: at }).where('status', '=', 'running').returning('id')
    return (await running.execute()).map(({ id }) => id)
  })
}

function toTable({ work, isEnabled, ...row }: ScheduleRow): TableRow {
  return { ...row, work: JSON.stringify(work), isEnabled: Number(isEnabled) }
}

function fromTable({ work, isEnabled, ...row }: TableRow): ScheduleRow {
  return { ...row, work: JSON.parse(work) as ScheduleWork, isEnabled: isEnabled === 1 }
}
