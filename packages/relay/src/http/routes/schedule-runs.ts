import {
  ScheduleRunDetail,
  ScheduleRunDetailQuery,
  ScheduleRunList,
  ScheduleRunListQuery,
  ScheduleRunView,
  ScheduleTriggered,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { resultView, runView } from '../../schedules/schedule-view.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { guard } from '../guard.ts'

const ScheduleParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  schedule: z.string().max(64).describe('Id of the schedule'),
})
const RunParams = ScheduleParams.extend({ run: z.string().max(64).describe('Id of the run') })

/** What schedules did and do. */
export function scheduleRunRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, schedules } = context
  return async (app) => {
    app.post(
      '/api/fleets/:fleet/schedules/:schedule/run',
      {
        schema: {
          summary: 'Run a schedule now, for whom it acts',
          params: ScheduleParams,
          response: { 200: ScheduleTriggered },
        },
      },
      async (request) => {
        const { fleet: fleetId, schedule } = request.params
        const act = { action: 'schedule.run', fleetId, subject: `schedule:${schedule} run` } as const
        return audited(context, request, act, async (caller, note) => {
          const { id } = await schedules.trigger(caller.fleetId, schedule)
          note({ subject: `schedule:${schedule} run ${id}` })
          return { queued: true, job_id: id }
        })
      },
    )

    app.get(
      '/api/fleets/:fleet/schedules/:schedule/runs',
      {
        schema: {
          summary: 'Runs of a schedule, the newest first',
          params: ScheduleParams,
          querystring: ScheduleRunListQuery,
          response: { 200: ScheduleRunList },
        },
      },
      async (request) => {
        const { fleetId } = await guard(context, request, 'schedule.read', request.params.fleet)
        const { id } = await schedules.find(fleetId, request.params.schedule)
        const { limit, cursor } = request.query
        const after = cursor === undefined ? {} : { after: parseCursor('createdAt', cursor) }
        const rows = await store.schedules.runs(id, { limit: limit + 1, ...after })
        const page = rows.slice(0, limit)
        const last = rows.length > limit ? page.at(-1) : undefined
        return {
          items: page.map(runView),
          next_cursor: formatCursor(last, ({ createdAt, id: runId }) => [createdAt, runId]),
        }
      },
    )

    app.get(
      '/api/fleets/:fleet/schedules/:schedule/runs/:run',
      {
        schema: {
          summary: 'One run, with what it did on each machine',
          params: RunParams,
          querystring: ScheduleRunDetailQuery,
          response: { 200: ScheduleRunDetail },
        },
      },
      async (request) => {
        const { fleet, schedule, run: runId } = request.params
        const { fleetId } = await guard(context, request, 'schedule.read', fleet)
        const run = await schedules.findRun(fleetId, schedule, runId)
        const { limit, cursor } = request.query
        const rows = await store.schedules.results(run.id, { limit: limit + 1, ...afterMachine(cursor) })
        const page = rows.slice(0, limit)
        const last = rows.length > limit ? page.at(-1) : undefined
        const next_cursor = formatCursor(last, ({ machineName, machineId }) => [machineName, machineId])
        return { ...runView(run), results: page.map(resultView), next_cursor }
      },
    )

    app.post(
      '/api/fleets/:fleet/schedules/:schedule/runs/:run/cancel',
      {
        schema: {
          summary: 'End a run: its processes are ended, and what waits does not begin',
          params: RunParams,
          response: { 200: ScheduleRunView },
        },
      },
      async (request) => {
        const { fleet: fleetId, schedule, run: runId } = request.params
        const act = { action: 'schedule.run', fleetId, subject: `schedule:${schedule} cancel ${runId}` } as const
        return audited(context, request, act, async (caller) => {
          const run = await schedules.findRun(caller.fleetId, schedule, runId)
          await schedules.cancel(run)
          return runView(await schedules.findRun(caller.fleetId, schedule, runId))
        })
      },
    )
  }
}

function afterMachine(cursor: string | undefined): { after?: { machineName: string; machineId: string } } {
  if (cursor === undefined) return {}
  const { machineName, id: machineId } = parseCursor('machineName', cursor)
  return { after: { machineName, machineId } }
}
