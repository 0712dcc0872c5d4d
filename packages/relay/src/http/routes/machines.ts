import { createHash } from 'node:crypto'
import {
  CmdopError,
  MachineList,
  MachineListQuery,
  MachineResolveQuery,
  MachineSummary,
  presenceOf,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Bus, Owner } from '../../bus/bus.ts'
import type { MachineCursor, MachineRow } from '../../store/store.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const MachineParams = z.object({ machine: z.string().max(64) })
const Cursor = z.tuple([z.string(), z.string()])

/** Machines of the caller's fleet. */
export function machineRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
  return async (app) => {
    app.get(
      '/api/machines',
      { schema: { summary: 'Machines of your fleet', querystring: MachineListQuery, response: { 200: MachineList } } },
      async (request) => {
        const caller = await guard(store, request, 'machine.list')
        return listMachines(context, caller.fleetId, request.query)
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
        const caller = await guard(store, request, 'machine.list')
        const rows = await store.machines.resolve(caller.fleetId, request.query.ref)
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

    app.get(
      '/api/machines/:machine',
      { schema: { summary: 'One machine', params: MachineParams, response: { 200: MachineSummary } } },
      async (request) => {
        const caller = await guard(store, request, 'machine.list')
        const row = await store.machines.get(request.params.machine)
        const own = row === undefined || row.fleetId !== caller.fleetId || row.disabledAt !== null ? [] : [row]
        const [machine] = await summaries(bus, own)
        if (machine === undefined) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
        return machine
      },
    )
  }
}

/** One page; with a presence filter, pages of the store are read until the page is full. */
async function listMachines(
  context: HttpContext,
  fleetId: string,
  query: z.output<typeof MachineListQuery>,
): Promise<MachineList> {
  const { limit, presence, q } = query
  const items: MachineSummary[] = []
  let after = query.cursor === undefined ? undefined : parseCursor(query.cursor)
  for (;;) {
    const rows = await context.store.machines.list(fleetId, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
      ...(q === undefined ? {} : { query: q }),
    })
    for (const machine of await summaries(context.bus, rows)) {
      if (presence !== 'any' && machine.presence !== presence) continue
      if (items.length === limit) return { items, next_cursor: formatCursor(items.at(-1)), has_more: true }
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
  }
}

/** PEM is the DER in base64 between two lines. */
function fingerprint(publicKey: string): string {
  const der = Buffer.from(publicKey.replace(/-----[^-]+-----/g, ''), 'base64')
  return createHash('sha256').update(der).digest('hex')
}

function ambiguous(reference: string, rows: readonly MachineRow[]): CmdopError {
  const candidates = rows.map(({ id, name, hostname }) => ({ id, name, hostname }))
  const names = candidates.map(({ id, name }) => `${name} (${id})`).join(', ')
  return new CmdopError('ambiguous', `${reference} fits ${rows.length} machines: ${names}. Use an id.`, {
    details: { candidates },
  })
}

function formatCursor(last: MachineSummary | undefined): string | null {
  return last === undefined ? null : Buffer.from(JSON.stringify([last.name, last.id])).toString('base64url')
}

function parseCursor(cursor: string): MachineCursor {
  try {
    const [name, id] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    return { name, id }
  } catch (cause) {
    throw new CmdopError('validation', 'Expected cursor to be the next_cursor of an earlier page.', { cause })
  }
}
