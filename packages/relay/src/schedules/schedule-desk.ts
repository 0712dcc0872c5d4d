import {
  CmdopError,
  MAX_SCHEDULES,
  type ScheduleCreate,
  type ScheduleRunStatus,
  type ScheduleUpdate,
} from '@cmdop/protocol'
import type { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { ScheduleChange, ScheduleRow, ScheduleRunRow } from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'
import { assertKnown, changedWork, changesWork, newWork } from './definition.ts'
import { waitingRun } from './plan.ts'
import { parseDueTimetable } from './timetable.ts'

export interface ScheduleDeskOptions {
  readonly store: Store
  readonly bus: Bus
  /** Something may be due. */
  readonly wake: () => void
}

/** What people do with schedules. Whether they may is decided before. */
export class ScheduleDesk {
  readonly #options: ScheduleDeskOptions

  constructor(options: ScheduleDeskOptions) {
    this.#options = options
  }

  /** Throws `not_found` for one of another fleet, too. */
  async find(fleetId: string, scheduleId: string): Promise<ScheduleRow> {
    const row = await this.#options.store.schedules.get(scheduleId)
    if (row?.fleetId !== fleetId || row.deletedAt !== null) throw isUnknown()
    return row
  }

  /** A run of this schedule of the fleet. Throws `not_found`. */
  async findRun(fleetId: string, scheduleId: string, runId: string): Promise<ScheduleRunRow> {
    await this.find(fleetId, scheduleId)
    const run = await this.#options.store.schedules.getRun(runId)
    if (run?.scheduleId !== scheduleId) throw new CmdopError('not_found', 'The schedule has no such run.')
    return run
  }

  /** A new schedule, which acts for the caller. Throws `validation`, `conflict`. */
  async create(caller: Caller, body: z.output<typeof ScheduleCreate>): Promise<ScheduleRow> {
    const { store, wake } = this.#options
    const { fleetId } = caller
    const now = Date.now()
    const timetable = parseDueTimetable(body.cron_expr, body.timezone, now)
    const work = newWork(body)
    await assertKnown(store, fleetId, work)
    if ((await store.schedules.list(fleetId, { offset: 0, limit: 1 })).total >= MAX_SCHEDULES)
      throw new CmdopError('conflict', `A fleet has at most ${MAX_SCHEDULES} schedules; delete one first.`)
    const at = new Date(now).toISOString()
    const id = newId('sch_')
    const row: ScheduleRow = {
      id,
      fleetId,
      name: body.name,
      description: body.description,
      cronExpr: body.cron_expr,
      timezone: body.timezone,
      isEnabled: body.is_enabled,
      work,
      actsForId: caller.principalId,
      keyId: caller.key.id,
      revision: 1,
      createdAt: at,
      updatedAt: at,
      nextRunAt: body.is_enabled ? isoOf(timetable.next(now)) : null,
      lastRunAt: null,
      lastStatus: null,
      lastError: null,
      deletedAt: null,
    }
    const principal = { id, fleetId, kind: 'schedule', name: body.name, role: caller.role, createdAt: at } as const
    await store.schedules.create(row, { ...principal, actsForId: caller.principalId })
    wake()
    return row
  }

  /** Whoever changes what it does is who it acts for from then on. Throws `validation`, `not_found`, `conflict`. */
  async update(caller: Caller, scheduleId: string, body: z.output<typeof ScheduleUpdate>): Promise<ScheduleRow> {
    const { store, wake } = this.#options
    const before = await this.find(caller.fleetId, scheduleId)
    const change = changeOf(before, body)
    if (body.machine_ids !== undefined || body.notify !== undefined)
      await assertKnown(store, caller.fleetId, {
        machine_ids: body.machine_ids ?? [],
        notify: body.notify ?? null,
      })
    const writer = changesWork(body) ? { actsForId: caller.principalId, keyId: caller.key.id } : {}
    const updatedAt = new Date().toISOString()
    const row = await store.schedules.update(before, { ...change, ...writer, updatedAt })
    if (row === undefined)
      throw new CmdopError('conflict', 'Somebody else has changed the schedule meanwhile; look at it again.')
    wake()
    return row
  }

  /** Throws `not_found`. */
  async remove(fleetId: string, scheduleId: string): Promise<void> {
    const { store, bus } = this.#options
    await this.find(fleetId, scheduleId)
    const running = await store.schedules.remove(scheduleId, new Date().toISOString())
    if (running === undefined) throw isUnknown()
    for (const runId of running) await bus.publish({ type: 'schedule-run-cancelled', runId })
  }

  /** A run now, whatever its time. Throws `not_found`, `conflict`. */
  async trigger(fleetId: string, scheduleId: string): Promise<ScheduleRunRow> {
    const { store, bus, wake } = this.#options
    const schedule = await this.find(fleetId, scheduleId)
    const run = waitingRun(schedule, { dueAt: null, createdAt: new Date().toISOString(), trigger: 'manual' })
    for (const runId of await store.schedules.trigger(run, schedule.work.overlap))
      await bus.publish({ type: 'schedule-run-cancelled', runId })
    wake()
    return run
  }

  /** One that waits is cancelled now, one that runs soon. Throws `not_found`, `conflict`. */
  async cancel({ id }: ScheduleRunRow): Promise<ScheduleRunStatus> {
    const { store, bus } = this.#options
    const status = await store.schedules.cancel(id, new Date().toISOString())
    if (status === undefined) throw new CmdopError('conflict', 'The run is over already.')
    await bus.publish({ type: 'schedule-run-cancelled', runId: id })
    return status
  }
}

function changeOf(before: ScheduleRow, body: z.output<typeof ScheduleUpdate>): ScheduleChange {
  const { name, description, cron_expr: cronExpr, timezone, is_enabled: isEnabled, ...work } = body
  const next = {
    cronExpr: cronExpr ?? before.cronExpr,
    timezone: timezone ?? before.timezone,
    isEnabled: isEnabled ?? before.isEnabled,
  }
  const isOther = (['cronExpr', 'timezone', 'isEnabled'] as const).some((field) => next[field] !== before[field])
  const now = Date.now()
  const timetable = isOther ? parseDueTimetable(next.cronExpr, next.timezone, now) : undefined
  const nextRunAt = next.isEnabled && timetable !== undefined ? isoOf(timetable.next(now)) : null
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: description ?? '' }),
    ...(isOther ? { ...next, nextRunAt } : {}),
    ...(Object.keys(work).length === 0 ? {} : { work: changedWork(before.work, work) }),
  }
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}

function isUnknown(): CmdopError {
  return new CmdopError('not_found', 'There is no such schedule in your fleet.')
}
