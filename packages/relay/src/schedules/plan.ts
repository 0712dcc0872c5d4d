import { newId } from '../auth/secrets.ts'
import type { ScheduleClaim, ScheduleRow, ScheduleRunRow } from '../store/schedule-store.ts'
import { Timetables } from './timetable.ts'

/** Instants of one schedule that are looked at together. When more have passed, they are noted as one. */
const MAX_INSTANTS = 100

/** A schedule that is due. */
export type DueSchedule = ScheduleRow & { readonly nextRunAt: string }

/**
 * What is to be claimed of a schedule: a run for each instant up to `now` (milliseconds since 1970), those that are too late as missed, and
 * the instant after. That comes from the last instant and not from the clock, so that a clock that is set back repeats nothing.
 */
export function planOf(schedule: DueSchedule, now: number, timetables = new Timetables()): ScheduleClaim {
  const timetable = timetables.of(schedule.cronExpr, schedule.timezone)
  const instants = [Date.parse(schedule.nextRunAt)]
  let next = timetable.next(instants[0] ?? now)
  while (next !== undefined && next <= now && instants.length < MAX_INSTANTS) {
    instants.push(next)
    next = timetable.next(next)
  }
  const isCut = next !== undefined && next <= now
  const runs = isCut ? manyMissed(schedule, instants, now) : runsFor(schedule, instants, now)
  const nextAt = isCut ? timetable.next(now) : next
  const { id, revision, nextRunAt, work } = schedule
  return {
    schedule: { id, revision, nextRunAt, overlap: work.overlap },
    runs,
    nextRunAt: nextAt === undefined ? null : isoOf(nextAt),
  }
}

/** A run that is to begin. */
export function waitingRun(
  schedule: ScheduleRow,
  about: Pick<ScheduleRunRow, 'dueAt' | 'createdAt' | 'trigger'>,
): ScheduleRunRow {
  const none = { startedAt: null, finishedAt: null, error: '', errorCode: null, commandCount: 0, counts: {} }
  const { work, keyId, actsForId } = schedule
  return {
    id: newId('srn_'),
    scheduleId: schedule.id,
    fleetId: schedule.fleetId,
    status: 'pending',
    ...about,
    work,
    keyId,
    actsForId,
    ...none,
    relayInstance: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    isTold: work.notify === null,
  }
}

function runsFor(schedule: DueSchedule, instants: readonly number[], now: number): ScheduleRunRow[] {
  const { grace_seconds: grace, missed } = schedule.work
  const isLate = (instant: number) => now - instant > grace * 1000
  const last = instants.at(-1) ?? now
  return instants.map((instant) => {
    if (!isLate(instant)) return due(schedule, instant, 'time')
    if (missed === 'run_once' && instant === last) return due(schedule, instant, 'missed')
    return missedRun(schedule, instant, {
      now,
      error: `No relay was there at ${isoOf(instant)}, nor within ${grace} s.`,
    })
  })
}

function manyMissed(schedule: DueSchedule, instants: readonly number[], now: number): ScheduleRunRow[] {
  const [first = now] = instants
  const error = `No relay was there from ${isoOf(first)} to ${isoOf(now)}; more than ${MAX_INSTANTS} instants passed.`
  const one = missedRun(schedule, first, { now, error })
  return schedule.work.missed === 'run_once' ? [one, due(schedule, instants.at(-1) ?? now, 'missed')] : [one]
}

function due(schedule: ScheduleRow, instant: number, trigger: ScheduleRunRow['trigger']): ScheduleRunRow {
  const at = isoOf(instant)
  return waitingRun(schedule, { dueAt: at, createdAt: at, trigger })
}

function missedRun(
  schedule: ScheduleRow,
  instant: number,
  { now, error }: { now: number; error: string },
): ScheduleRunRow {
  const run = due(schedule, instant, 'time')
  return { ...run, status: 'missed', finishedAt: isoOf(now), error, errorCode: 'unavailable', work: null }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
