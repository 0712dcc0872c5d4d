import { MachineAttach, MachineFleetLink, MachineList, MachineListQuery } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { attachMachine, detachMachine } from '../../auth/fleet-machines.ts'
import { listMachines } from '../../machines/list.ts'
import { asItIs } from '../as-it-is.ts'
import { audited, auditedAs } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { callerInFleet, guard } from '../guard.ts'

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })
const MachineParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  machine: z.string().max(64).describe('Id of the machine'),
})

/** The machines that a fleet has, and those of other fleets that it uses. */
export function fleetMachineRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
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
          summary: 'Let a fleet use a machine of another one',
          params: FleetParams,
          body: MachineAttach,
          response: { 201: MachineFleetLink },
        },
      },
      async (request, reply) => {
        const { machine_id: machineId } = request.body
        const subject = `machine:${machineId} attach`
        const act = { action: 'machine.manage', fleetId: request.params.fleet, subject } as const
        const link = await audited(context, request, act, async (caller) => {
          const attached = await attachMachine(store, caller, machineId)
          await bus.publish({ type: 'machine-changed', machineId, change: 'attached' })
          return attached
        })
        return reply.status(201).send({
          machine_id: link.machineId,
          fleet_id: link.fleetId,
          joined_at: link.joinedAt,
          added_by_id: link.addedById,
        })
      },
    )

    app.delete(
      '/api/fleets/:fleet/machines/:machine',
      {
        schema: {
          summary: 'Let a fleet use a machine of another one no more: what runs there through it ends at once',
          params: MachineParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { fleet: fleetId, machine: machineId } = request.params
        const caller = await callerInFleet(context, request, fleetId)
        // Who manages the machine where it is at home takes it back, too.
        const where = caller.fleetId === fleetId ? { fleetId } : { machineId }
        const act = { action: 'machine.manage', subject: `machine:${machineId} detach`, ...where } as const
        await auditedAs(context, { ...act, caller, requestId: request.id }, async () => {
          await detachMachine(store, { fleetId, machineId })
          await bus.publish({ type: 'machine-detached', machineId, fleetId })
        })
        return reply.status(204).send(null)
      },
    )
  }
}
