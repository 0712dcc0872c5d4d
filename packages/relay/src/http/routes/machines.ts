import {
  CmdopError,
  MachineList,
  MachineListQuery,
  MachinePing,
  MachinePingAnswer,
  MachineResolveQuery,
  MachineSummary,
  MachineUpdate,
  presenceOf,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { authorise } from '../../auth/authorise.ts'
import type { Bus, Owner } from '../../bus/bus.ts'
import type { MachineRow } from '../../store/store.ts'
import { changeLabels, labelsOf } from '../../machines/labels.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { audited } from '../audited.ts'
import { guard, permitted, permittedOn } from '../guard.ts'
import { fingerprint } from './machine-keys.ts'

const MachineParams = z.object({ machine: z.string().max(64) })

/** Machines of the caller's fleet. */
export function machineRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
  const one = async (row: MachineRow | undefined): Promise<MachineSummary> => {
    const [machine] = await summaries(bus, row === undefined ? [] : [row])
    if (machine === undefined) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
    return machine
  }
  return async (app) => {
    app.get(
      '/api/machines',
      { schema: { summary: 'Machines of your fleet', querystring: MachineListQuery, response: { 200: MachineList } } },
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
        const rows = found.filter((row) => isSeen(caller, row))
        // There is one, and the key is not for it.
        const [machine] = found
        if (rows.length === 0 && machine !== undefined)
          await permitted(context, request, { caller, action: 'machine.list', machine })
        const [only] = await summaries(bus, rows)
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
      { schema: { summary: 'One machine', params: MachineParams, response: { 200: MachineSummary } } },
      async (request) => {
        const caller = await guard(context, request, 'machine.list')
        const { machine: machineId } = request.params
        await permittedOn(context, request, { caller, action: 'machine.list', machineId })
        const row = await store.machines.get(machineId)
        return one(row === undefined || row.disabledAt !== null ? undefined : row)
      },
    )

    app.patch(
      '/api/machines/:machine',
      {
        schema: {
          summary: 'Change the labels of a machine',
          params: MachineParams,
          body: MachineUpdate,
          response: { 200: MachineSummary },
        },
      },
      async (request) => {
        const { machine: machineId } = request.params
        return audited(context, request, { action: 'machine.manage', machineId }, async () => {
          await changeLabels(store, machineId, request.body.labels)
          return one(await store.machines.get(machineId))
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
        return audited(context, request, { action: 'machine.manage', machineId }, async () => {
          await store.machines.quarantine(machineId, null)
          return one(await store.machines.get(machineId))
        })
      },
    )
  }
}

/** Whether the key is for this machine; lists have no others. */
function isSeen(caller: Caller, machine: MachineRow): boolean {
  return authorise(caller, 'machine.list', { fleetId: machine.fleetId, machine }).allowed
}

/** Those of these machines that are in use and that the key is for, each once. */
async function seenOf({ store, pings }: HttpContext, caller: Caller, machineIds: readonly string[]): Promise<string[]> {
  const seen: string[] = []
  for (const machineId of new Set(machineIds)) {
    const row = pings.connected(machineId) ?? (await store.machines.get(machineId))
    if (row !== undefined && row.disabledAt === null && isSeen(caller, row)) seen.push(machineId)
  }
  return seen
}

/** One page; with a presence filter, pages of the store are read until the page is full. */
async function listMachines(
  context: HttpContext,
  caller: Caller,
  query: z.output<typeof MachineListQuery>,
): Promise<MachineList> {
  const { limit, presence, q } = query
  const items: MachineSummary[] = []
  let after = query.cursor === undefined ? undefined : parseCursor('name', query.cursor)
  for (;;) {
    const rows = await context.store.machines.list(caller.fleetId, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
      ...(q === undefined ? {} : { query: q }),
    })
    const seen = rows.filter((row) => isSeen(caller, row))
    for (const machine of await summaries(context.bus, seen)) {
      if (presence !== 'any' && machine.presence !== presence) continue
      if (items.length === limit)
        return { items, next_cursor: formatCursor(items.at(-1), ({ name, id }) => [name, id]), has_more: true }
      items.push(machine)
    }
    const last = rows.at(-1)
    if (rows.length <= limit || last === undefined) return { items, next_cursor: null, has_more: false }
    after = { name: last.name, id: last.id }
  }
}

async function summaries(bus: Bus, rows: readonly MachineRow[]): Promise<MachineSummary[]> {
  const owners = await bus.owners(rows.map(({ id }) => id))
  const now = Date.now()
  return rows.map((row) => summary(row, owners.get(row.id), now))
}

function summary(row: MachineRow, owner: Owner | undefined, now: number): MachineSummary {
  const storedAt = row.lastSeenAt === null ? null : Date.parse(row.lastSeenAt)
  const lastSeenAt = owner === undefined ? storedAt : Math.max(owner.heardAt, storedAt ?? 0)
  return {
    id: row.id,
    name: row.name,
    hostname: row.hostname,
    os: row.os,
    architecture: row.architecture,
    agent_version: row.agentVersion,
    presence: presenceOf({ connected: owner !== undefined, lastSeenAt, now }),
    last_seen_at: lastSeenAt === null ? null : new Date(lastSeenAt).toISOString(),
    public_key_fingerprint: fingerprint(row.publicKey),
    created_at: row.createdAt,
    fleet_id: row.fleetId,
    quarantined_at: row.quarantinedAt,
    labels: labelsOf(row),
  }
}

function ambiguous(reference: string, rows: readonly MachineRow[]): CmdopError {
  const candidates = rows.map(({ id, name, hostname }) => ({ id, name, hostname }))
  const names = candidates.map(({ id, name }) => `${name} (${id})`).join(', ')
  return new CmdopError('ambiguous', `${reference} fits ${rows.length} machines: ${names}. Use an id.`, {
    details: { candidates },
  })
}
