import { FleetChange, FleetCreate, FleetList, FleetSummary, OffsetQuery } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { configureFleet, createFleet, fleetFor, fleetsOf, membersChanged } from '../../auth/fleets.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })

/** The fleets of which somebody is a member. */
export function fleetRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
  return async (app) => {
    app.get(
      '/api/fleets',
      {
        schema: {
          summary: 'Fleets of which you are a member',
          querystring: OffsetQuery,
          response: { 200: FleetList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'machine.list', { machine: 'any' })
        const { offset, per_page } = request.query
        return { ...(await fleetsOf(store, caller, request.query)), offset, per_page }
      },
    )

    app.post(
      '/api/fleets',
      { schema: { summary: 'Make a fleet, which is yours', body: FleetCreate, response: { 201: FleetSummary } } },
      async (request, reply) => {
        const act = { action: 'fleet.create', digest: digestOf(request.body) } as const
        const fleet = await audited(context, request, act, async (caller, note) => {
          const made = await createFleet(store, caller, request.body)
          note({ subject: `fleet:${made.id}` })
          return made
        })
        return reply.status(201).send(fleet)
      },
    )

    app.get(
      '/api/fleets/:fleet',
      { schema: { summary: 'One fleet', params: FleetParams, response: { 200: FleetSummary } } },
      async (request) => {
        const { fleet: fleetId } = request.params
        return fleetFor(store, await guard(context, request, 'machine.list', { fleetId, machine: 'any' }))
      },
    )

    app.patch(
      '/api/fleets/:fleet',
      {
        schema: {
          summary: 'Change the name of a fleet, or whether signing in takes an authenticator',
          params: FleetParams,
          body: FleetChange,
          response: { 200: FleetSummary },
        },
      },
      async (request) => {
        const { name, mfa_required: mfaRequired } = request.body
        const subject = `fleet:${Object.keys(request.body).toSorted().join(' ')}`
        const fleetId = request.params.fleet
        const act = { action: 'fleet.configure', fleetId, subject, digest: digestOf(request.body) } as const
        return audited(context, request, act, async (caller) => {
          await configureFleet(context, fleetId, { name, mfaRequired })
          return fleetFor(store, caller)
        })
      },
    )

    app.delete(
      '/api/fleets/:fleet',
      {
        schema: {
          summary: 'Disable a fleet: its keys, sessions and machines end at once',
          params: FleetParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet: fleetId } = request.params
        const act = { action: 'fleet.disable', fleetId, subject: `fleet:${fleetId}` } as const
        await audited(context, request, act, async () => {
          const ended = await store.fleets.disable(fleetId, new Date().toISOString())
          for (const keyId of ended) await bus.publish({ type: 'key-revoked', keyId })
          await bus.publish({ type: 'fleet-disabled', fleetId })
          await membersChanged(context, fleetId)
        })
        return reply.status(204).send(null)
      },
    )
  }
}
