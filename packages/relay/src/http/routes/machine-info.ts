import { CmdopError, MachineInfoResponse } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { infoOf } from '../../machines/info.ts'
import type { HttpContext } from '../context.ts'
import { callerOf, permittedOn } from '../guard.ts'

const MachineParams = z.object({ machine: z.string().max(64).describe('Id of the machine') })

/** What a machine measures of itself now. */
export function machineInfoRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/admin/machines/:machine/info',
      {
        schema: {
          summary: 'A machine, measured now where it is online',
          params: MachineParams,
          response: { 200: MachineInfoResponse },
        },
      },
      async (request) => {
        const { machine: machineId } = request.params
        const caller = await callerOf(context, request)
        await permittedOn(context, request, { caller, action: 'machine.facts', machineId })
        const row = await context.store.machines.get(machineId)
        if (row === undefined) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
        return infoOf(context, caller, row)
      },
    )
  }
}
