import { MachineAttach, MachineFleetLink, MachineList, MachineListQuery } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { listMachines } from '../../machines/list.ts'
import { asItIs } from '../as-it-is.ts'
import type { HttpContext } from '../context.ts'
import { callerOf, guard } from '../guard.ts'
import { attachMachine, detachMachine } from '../machine-moves.ts'

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })
const MachineParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  machine: z.string().max(64).describe('Id of the machine'),
})

/** The machines of a fleet, and how they come into it and go back. */
export function fleetMachineRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/fleets/:fleet/machines',
      {
        schema: {
          summary: 'Machines of a fleet',
          params: FleetParams,
          querystring: MachineListQuery,
          response: { 200: MachineList },
        },
        ...asItIs,
      },
      async (request) => {
        const caller = await guard(context, request, 'machine.list', request.params.fleet)
        return listMachines(context, caller, request.query)
      },
    )

    app.post(
      '/api/fleets/:fleet/machines',
      {
        schema: {
          summary: 'Move a machine into a fleet: what runs there ends at once',
          params: FleetParams,
          body: MachineAttach,
          response: { 201: MachineFleetLink },
        },
      },
      async (request, reply) => {
        const { fleet: fleetId } = request.params
        const { machine_id: machineId } = request.body
        const caller = await callerOf(context, request)
        const { addedById } = await attachMachine(context, { caller, fleetId, machineId, requestId: request.id })
        const joined_at = new Date().toISOString()
        return reply.status(201).send({ machine_id: machineId, fleet_id: fleetId, joined_at, added_by_id: addedById })
      },
    )

    app.delete(
      '/api/fleets/:fleet/machines/:machine',
      {
        schema: {
          summary: 'Move a machine back to the fleet in which it enrolled: what runs there ends at once',
          params: MachineParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet: fleetId, machine: machineId } = request.params
        const caller = await callerOf(context, request)
        await detachMachine(context, { caller, fleetId, machineId, requestId: request.id })
        return reply.status(204).send(null)
      },
    )
  }
}
