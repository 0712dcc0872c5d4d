import type { Client, ScheduleRunDetail } from '@cmdop/core'
import { waitFor } from './wait-for.ts'

/** A time that does not come while tests run. */
export const NEVER = '0 0 29 2 *'

/** The run once it is over, with what it did on its machines. */
export async function endedRun(client: Client, scheduleId: string, runId: string): Promise<ScheduleRunDetail> {
  return waitFor(
    'the run is over',
    async () => {
      const run = await client.schedules.run(scheduleId, runId, { limit: 500 })
      return run.finishedAt !== null && run
    },
    60_000,
  )
}

/** Triggers a run, and gives it once it is over. */
export async function ranOnce(client: Client, scheduleId: string): Promise<ScheduleRunDetail> {
  const { jobId } = await client.schedules.trigger(scheduleId)
  return endedRun(client, scheduleId, jobId)
}
