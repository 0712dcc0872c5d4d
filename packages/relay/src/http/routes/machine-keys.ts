import { CmdopError, machineKeyText, MachineKeyRotate, MachineKeyRotated } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { fingerprint, isSignedWith, normalKey } from '../../auth/machine-key.ts'
import { quarantined } from '../../channel/quarantine.ts'
import type { MachineRow } from '../../store/store.ts'
import type { HttpContext } from '../context.ts'
import { takeSignedRequests } from '../signed-requests.ts'

const MachineParams = z.object({ machine: z.string().max(64).describe('Id of the machine') })
const security = [{ machine: [] }]

/**
 * How a machine changes its key: it proposes the new one, signed with both, and the old one is good until the new one was
 * used once, so that either side may die at any moment.
 */
export function machineKeyRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, audit, relayId } = context
  return async (app) => {
    const { machineOf } = takeSignedRequests(app, context)
    const own = (request: FastifyRequest, machineId: string): MachineRow => {
      const machine = machineOf(request)
      if (machine.id !== machineId) throw new CmdopError('not_found', 'There is no such machine.')
      // Either of the two could take the machine over.
      if (machine.quarantinedAt !== null) throw quarantined(machine)
      return machine
    }

    app.post(
      '/api/machines/:machine/key',
      {
        schema: {
          summary: 'A machine will use another key',
          security,
          params: MachineParams,
          body: MachineKeyRotate,
          response: { 200: MachineKeyRotated },
        },
      },
      async (request) => {
        const machine = own(request, request.params.machine)
        const { id: machineId, fleetId } = machine
        const { public_key: given, signature } = request.body
        const publicKey = normalKey(given)
        if (!isSignedWith(publicKey, { text: machineKeyText({ relayId, machineId, publicKey }), signature }))
          throw new CmdopError('auth', 'The machine does not show that it has the new key.')
        const actor = {
          fleetId,
          principalId: machineId,
          principalKind: 'machine' as const,
          principalName: machine.name,
        }
        const what = { action: 'machine.rotate-key', machineId, digest: fingerprint(publicKey), requestId: request.id }
        await audit.around({ ...actor, ...what }, async () => {
          if (!(await store.machines.proposeKey(machineId, machine.publicKey, publicKey)))
            throw new CmdopError('conflict', 'The machine has changed its key meanwhile.')
        })
        return { public_key_fingerprint: fingerprint(publicKey) }
      },
    )

    app.post(
      '/api/machines/:machine/key/confirm',
      {
        schema: {
          summary: 'A machine uses its key',
          security,
          params: MachineParams,
          body: z.strictObject({}),
          response: { 200: MachineKeyRotated },
        },
      },
      async (request) => {
        const { id } = own(request, request.params.machine)
        const machine = await store.machines.get(id)
        return { public_key_fingerprint: fingerprint(machine?.publicKey ?? '') }
      },
    )
  }
}
