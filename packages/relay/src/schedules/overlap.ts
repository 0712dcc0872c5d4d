import { MAX_QUEUED_RUNS, type ScheduleOverlap } from '@cmdop/protocol'
import type { ScheduleLease, ScheduleRunRow } from '../store/schedule-store.ts'

/** What of a schedule is not over. */
export interface Standing {
  readonly running: string | undefined
  readonly waiting: number
}

/** What becomes of runs that are to begin. */
export interface Admission {
  readonly runs: readonly ScheduleRunRow[]
  /** Whether what runs is to be cancelled, and what waits is not to run. */
  readonly replaces: boolean
}

/** Runs of one schedule as they are to be put down: started where nothing else of it runs, otherwise as its overlap says. */
export function admit(
  runs: readonly ScheduleRunRow[],
  { overlap, standing, lease, at }: { overlap: ScheduleOverlap; standing: Standing; lease: ScheduleLease; at: string },
): Admission {
  let { waiting } = standing
  let isBusy = standing.running !== undefined || waiting > 0
  let replaces = false
  const last = runs.findLast(({ status }) => status === 'pending')
  const admitted = runs.map((run): ScheduleRunRow => {
    if (run.status !== 'pending') return run
    if (overlap === 'cancel' && run !== last) return skipped(run, at, 'A later instant had come already.')
    if (!isBusy) {
      isBusy = true
      return { ...run, status: 'running', startedAt: at, ...lease }
    }
    if (overlap === 'skip') return skipped(run, at, 'The run before was not over.')
    if (overlap === 'cancel') {
      replaces = true
      return run
    }
    waiting += 1
    if (waiting > MAX_QUEUED_RUNS) return skipped(run, at, `${MAX_QUEUED_RUNS} runs of this schedule wait already.`)
    return run
  })
  return { runs: admitted, replaces }
}

/** A run that will not begin, because others are not over. */
export function skipped(run: ScheduleRunRow, at: string, error: string): ScheduleRunRow {
  return { ...run, status: 'skipped', finishedAt: at, error, errorCode: 'conflict', work: null, isTold: true }
}
