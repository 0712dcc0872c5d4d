import {
  CmdopError,
  MachineDetail,
  MachineList,
  MachineListQuery,
  MachinePing,
  MachinePingAnswer,
  MachineResolveQuery,
  MachineSummary,
  MachineUpdate,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { changeLabels } from '../../machines/labels.ts'
import { fleetOf, isListed, listMachines, summariesFor } from '../../machines/list.ts'
import { detailOf } from '../../machines/summary.ts'
import type { MachineRow } from '../../store/store.ts'
import { asItIs } from '../as-it-is.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard, permitted, permittedOn } from '../guard.ts'

const MachineParams = z.object({ machine: z.string().max(64).describe('Id of the machine') })

/** Machines of the caller's fleet. */
export function machineRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    addLookups(app, context)
    addChanges(app, context)
  }
}

type App = Parameters<FastifyPluginAsyncZod>[0]

function addLookups(app: App, context: HttpContext): void {
  const { store, bus } = context
  app.get(
    '/api/machines',
    {
      schema: { summary: 'Machines of your fleet', querystring: MachineListQuery, response: { 200: MachineList } },
      ...asItIs,
    },
    async (request) => {
      const caller = await guard(context, request, 'machine.list')
      return listMachines(context, caller, request.query)
    },
  )

  app.get(
    '/api/machines/resolve',
    {
      schema: {
        summary: 'The machine that a reference means',
        querystring: MachineResolveQuery,
        response: { 200: MachineSummary },
      },
    },
    async (request) => {
      const caller = await guard(context, request, 'machine.list')
      const found = await store.machines.resolve(caller.fleetId, request.query.ref)
      const rows = found.filter((row) => isListed(caller, row))
      // There is one, and the key is not for it.
      const [machine] = found
      if (rows.length === 0 && machine !== undefined)
        await permitted(context, request, { caller, action: 'machine.list', machine })
      const [only] = await summariesFor(context, caller, rows)
      if (only === undefined)
        throw new CmdopError(
          'not_found',
          `There is no machine ${request.query.ref} in your fleet; see: cmdop machines.`,
        )
      if (rows.length > 1) throw ambiguous(request.query.ref, rows)
      return only
    },
  )

  app.post(
    '/api/machines/ping',
    {
      schema: {
        summary: 'Ask machines for a sign of life',
        body: MachinePing,
        response: { 200: MachinePingAnswer },
      },
    },
    async (request) => {
      const caller = await guard(context, request, 'machine.list', { machine: 'any' })
      const { machine_ids, timeout_ms } = request.body
      const seen = await seenOf(context, caller, machine_ids)
      const tookMs = await context.pings.ping(seen, timeout_ms)
      return { items: machine_ids.map((id) => ({ machine_id: id, round_trip_ms: tookMs.get(id) ?? null })) }
    },
  )

  app.get(
    '/api/machines/:machine',
    { schema: { summary: 'One machine', params: MachineParams, response: { 200: MachineDetail } } },
    async (request) => {
      const caller = await guard(context, request, 'machine.list')
      const { machine: machineId } = request.params
      await permittedOn(context, request, { caller, action: 'machine.list', machineId })
      const row = await store.machines.get(machineId)
      if (row === undefined) throw noSuchMachine()
      const [fleets, owner] = await Promise.all([fleetOf(store, caller), bus.owner(row.id)])
      return detailOf(row, { owner, now: Date.now(), fleets })
    },
  )
}

function addChanges(app: App, context: HttpContext): void {
  const { store, bus } = context
  const one = async (caller: Caller, machineId: string): Promise<MachineSummary> => {
    const row = await store.machines.get(machineId)
    const [machine] = await summariesFor(context, caller, row === undefined ? [] : [row])
    if (machine === undefined) throw noSuchMachine()
    return machine
  }
  const changed = (machineId: string, change: 'changed' | 'disabled' | 'enabled' = 'changed') =>
    bus.publish({ type: 'machine-changed', machineId, change })
  const disable = (machineId: string, at: string | null) => store.machines.disable(machineId, at)

  app.patch(
    '/api/machines/:machine',
    {
      schema: {
        summary: 'Change the name or the labels of a machine',
        params: MachineParams,
        body: MachineUpdate,
        response: { 200: MachineSummary },
      },
    },
    async (request) => {
      const { machine: machineId } = request.params
      const { name, labels } = request.body
      const subject = `machine:${Object.keys(request.body).toSorted().join(' ')}`
      const act = { action: 'machine.manage', machineId, subject, digest: digestOf(request.body) } as const
      return audited(context, request, act, async (caller) => {
        if (name !== undefined) await store.machines.rename(machineId, name)
        if (labels !== undefined) await changeLabels(store, machineId, labels)
        await changed(machineId)
        return one(caller, machineId)
      })
    },
  )

  app.delete(
    '/api/machines/:machine',
    {
      schema: {
        summary: 'Disable a machine: what runs there ends at once, and it may not connect',
        params: MachineParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { machine: machineId } = request.params
      const act = { action: 'machine.manage', machineId, evenDisabled: true, subject: 'machine:disable' } as const
      await audited(context, request, act, async () => {
        await disable(machineId, new Date().toISOString())
        // Also of one that is disabled: somebody may not have been told.
        await changed(machineId, 'disabled')
      })
      return reply.status(204).send(null)
    },
  )

  app.post(
    '/api/machines/:machine/enable',
    {
      schema: {
        summary: 'Let a disabled machine connect again',
        params: MachineParams,
        response: { 200: MachineSummary },
      },
    },
    async (request) => {
      const { machine: machineId } = request.params
      const act = { action: 'machine.manage', machineId, evenDisabled: true, subject: 'machine:enable' } as const
      return audited(context, request, act, async (caller) => {
        await disable(machineId, null)
        await changed(machineId, 'enabled')
        return one(caller, machineId)
      })
    },
  )

  app.post(
    '/api/machines/:machine/release',
    {
      schema: {
        summary: 'Release a machine from quarantine',
        params: MachineParams,
        response: { 200: MachineSummary },
      },
    },
    async (request) => {
      const { machine: machineId } = request.params
      return audited(context, request, { action: 'machine.manage', machineId }, async (caller) => {
        await store.machines.quarantine(machineId, null)
        await changed(machineId)
        return one(caller, machineId)
      })
    },
  )
}

/** Those of these machines that are in use and that the key is for, each once. */
async function seenOf({ store, pings }: HttpContext, caller: Caller, machineIds: readonly string[]): Promise<string[]> {
  const seen: string[] = []
  for (const machineId of new Set(machineIds)) {
    const row = pings.connected(machineId) ?? (await store.machines.get(machineId))
    if (row?.disabledAt === null && isListed(caller, row)) seen.push(machineId)
  }
  return seen
}

function noSuchMachine(): CmdopError {
  return new CmdopError('not_found', 'There is no such machine in your fleet.')
}

function ambiguous(reference: string, rows: readonly MachineRow[]): CmdopError {
  const candidates = rows.map(({ id, name, hostname }) => ({ id, name, hostname }))
  const names = candidates.map(({ id, name }) => `${name} (${id})`).join(', ')
  return new CmdopError('ambiguous', `${reference} fits ${rows.length} machines: ${names}. Use an id.`, {
    details: { candidates },
  })
}
