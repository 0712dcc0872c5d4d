import { ScheduleCreate, ScheduleList, ScheduleListQuery, ScheduleUpdate, ScheduleView } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { scheduleView } from '../../schedules/schedule-view.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })
const ScheduleParams = FleetParams.extend({ schedule: z.string().max(64).describe('Id of the schedule') })

/** The schedules of a fleet. */
export function scheduleRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, schedules } = context
  const act = (fleetId: string) => ({ action: 'schedule.write', fleetId }) as const
  return async (app) => {
    app.get(
      '/api/fleets/:fleet/schedules',
      {
        schema: {
          summary: 'Schedules of a fleet',
          params: FleetParams,
          querystring: ScheduleListQuery,
          response: { 200: ScheduleList },
        },
      },
      async (request) => {
        const { fleetId } = await guard(context, request, 'schedule.read', request.params.fleet)
        const { offset, per_page } = request.query
        const { items, total } = await store.schedules.list(fleetId, { offset, limit: per_page })
        return { items: items.map(scheduleView), offset, per_page, total }
      },
    )

    app.post(
      '/api/fleets/:fleet/schedules',
      {
        schema: {
          summary: 'Run a command, or ask a prompt, at certain times',
          params: FleetParams,
          body: ScheduleCreate,
          response: { 201: ScheduleView },
        },
      },
      async (request, reply) => {
        const schedule = await audited(context, request, act(request.params.fleet), async (caller, note) => {
          const made = await schedules.create(caller, request.body)
          note({ subject: `schedule:${made.id} create` })
          return made
        })
        return reply.status(201).send(scheduleView(schedule))
      },
    )

    app.get(
      '/api/fleets/:fleet/schedules/:schedule',
      { schema: { summary: 'One schedule', params: ScheduleParams, response: { 200: ScheduleView } } },
      async (request) => {
        const { fleetId } = await guard(context, request, 'schedule.read', request.params.fleet)
        return scheduleView(await schedules.find(fleetId, request.params.schedule))
      },
    )

    app.patch(
      '/api/fleets/:fleet/schedules/:schedule',
      {
        schema: {
          summary: 'Change, pause or go on with a schedule; whoever changes what it does is who it acts for',
          params: ScheduleParams,
          body: ScheduleUpdate,
          response: { 200: ScheduleView },
        },
      },
      async (request) => {
        const { fleet, schedule } = request.params
        const subject = `schedule:${schedule} ${Object.keys(request.body).toSorted().join(' ')}`.slice(0, 128)
        return audited(context, request, { ...act(fleet), subject }, async (caller) =>
          scheduleView(await schedules.update(caller, schedule, request.body)),
        )
      },
    )

    app.delete(
      '/api/fleets/:fleet/schedules/:schedule',
      {
        schema: {
          summary: 'Delete a schedule, and end what runs of it',
          params: ScheduleParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet, schedule } = request.params
        const subject = `schedule:${schedule} delete`
        await audited(context, request, { ...act(fleet), subject }, ({ fleetId }) =>
          schedules.remove(fleetId, schedule),
        )
        return reply.status(204).send(null)
      },
    )
  }
}
