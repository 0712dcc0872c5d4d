import {
  CmdopError,
  ConnectedSessionList,
  ConnectedSessionQuery,
  OffsetQuery,
  presenceOf,
  TunnelList,
  TunnelOpen,
  TunnelOpened,
  TunnelView,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { authorise } from '../../auth/authorise.ts'
import type { ListedMachine, MachineRow } from '../../store/store.ts'
import type { TunnelRow } from '../../store/tunnel-store.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard, permittedOn } from '../guard.ts'

const TunnelParams = z.object({ tunnel: z.string().min(1).max(64).describe('Id of the tunnel') })

/** Machines that are read at once. */
const READ_AT_ONCE = 500

/** Tunnels to ports of machines. */
export function tunnelRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, tunnels } = context
  return async (app) => {
    app.get(
      '/api/tunnels',
      {
        schema: { summary: 'Open tunnels, the newest first', querystring: OffsetQuery, response: { 200: TunnelList } },
      },
      async (request) => {
        const caller = await guard(context, request, 'tunnel.read', { machine: 'any' })
        const { offset, per_page } = request.query
        const machineIds = await machinesInScope(caller)
        const page = { offset, limit: per_page, ...(machineIds === undefined ? {} : { machineIds }) }
        const { items, total } = await store.tunnels.list(caller.fleetId, page)
        return { items: items.map((tunnel) => viewOf(tunnel)), offset, per_page, total }
      },
    )

    app.get(
      '/api/tunnels/connected-sessions',
      {
        schema: {
          summary: 'Machines that are connected, to open a tunnel to',
          querystring: ConnectedSessionQuery,
          response: { 200: ConnectedSessionList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'tunnel.read', { machine: 'any' })
        const { offset, per_page } = request.query
        const connected = await connectedMachines(caller)
        return { items: connected.slice(offset, offset + per_page), offset, per_page, total: connected.length }
      },
    )

    app.post(
      '/api/tunnels',
      {
        schema: {
          summary: 'Open a tunnel to a port of a machine; what its visitors show is shown once',
          body: TunnelOpen,
          response: { 201: TunnelOpened },
        },
      },
      async (request, reply) => {
        const { body } = request
        const { password: _, ...options } = body.options
        const digest = digestOf({ ...body, options })
        const act = { action: 'tunnel.open', anyMachine: true, digest } as const
        const opened = await audited(context, request, act, async (caller, note) => {
          const machine = await findMachine(caller, machineOf(body))
          note({ machineId: machine.id, subject: `tunnel to ${body.local_host}:${body.local_port}` })
          const made = await tunnels.desk.open(caller, machine, body)
          note({ machineId: machine.id, subject: subjectOf(made.tunnel, 'open') })
          return made
        })
        const { token, username, password } = opened.secret
        return reply.status(201).send({ ...viewOf(opened.tunnel), token, username, password })
      },
    )

    app.get(
      '/api/tunnels/:tunnel',
      { schema: { summary: 'A tunnel', params: TunnelParams, response: { 200: TunnelView } } },
      async (request) => {
        const caller = await guard(context, request, 'tunnel.read', { machine: 'any' })
        const tunnel = await findTunnel(caller, request.params.tunnel)
        await permittedOn(context, request, { caller, action: 'tunnel.read', machineId: tunnel.machineId })
        return viewOf(tunnel)
      },
    )

    app.delete(
      '/api/tunnels/:tunnel',
      {
        schema: {
          summary: 'Close a tunnel, and its connections at once; closing it again does nothing',
          params: TunnelParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const act = {
          action: 'tunnel.open',
          anyMachine: true,
          subject: `tunnel:${request.params.tunnel} close`,
        } as const
        await audited(context, request, act, async (caller, note) => {
          const tunnel = await findTunnel(caller, request.params.tunnel)
          note({ machineId: tunnel.machineId })
          await assertMay(caller, tunnel.machineId)
          await tunnels.desk.close(tunnel, 'asked')
        })
        return reply.status(204).send(null)
      },
    )
  }

  /** Undefined: all of the fleet. */
  async function machinesInScope(caller: Caller): Promise<string[] | undefined> {
    if (caller.scopes.length === 0) return undefined
    const machines = await readMachines(caller)
    return machines.filter((machine) => isAllowed(caller, machine)).map(({ id }) => id)
  }

  async function connectedMachines(caller: Caller) {
    const machines = (await readMachines(caller)).filter((machine) => isAllowed(caller, machine))
    const owners = await context.bus.owners(machines.map(({ id }) => id))
    const connected = machines.filter(({ id }) => owners.has(id))
    return connected.map(({ id, hostname, name, lastSeenAt }) => {
      const heardAt = owners.get(id)?.heardAt ?? (lastSeenAt === null ? null : Date.parse(lastSeenAt))
      const status = presenceOf({ connected: true, lastSeenAt: heardAt, now: Date.now() })
      return { session_id: id, machine_id: id, hostname, label: name, status }
    })
  }

  async function readMachines({ fleetId }: Caller): Promise<ListedMachine[]> {
    const all: ListedMachine[] = []
    for (;;) {
      const last = all.at(-1)
      const after = last === undefined ? {} : { after: { name: last.name, id: last.id } }
      const page = await store.machines.list(fleetId, { limit: READ_AT_ONCE, ...after })
      all.push(...page)
      if (page.length < READ_AT_ONCE) return all
    }
  }

  /** Throws `not_found`, `ambiguous`, `permission`. */
  async function findMachine(caller: Caller, reference: string): Promise<MachineRow> {
    const [machine, ...others] = await store.machines.resolve(caller.fleetId, reference)
    if (machine === undefined) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
    if (others.length > 0)
      throw new CmdopError('ambiguous', `${reference} may be several machines; give the id of one.`, {
        details: { candidates: [machine, ...others].map(({ id, name, hostname }) => ({ id, name, hostname })) },
      })
    await assertMay(caller, machine.id)
    return machine
  }

  async function findTunnel(caller: Caller, tunnelId: string): Promise<TunnelRow> {
    const tunnel = await store.tunnels.get(tunnelId)
    if (tunnel?.fleetId !== caller.fleetId) throw new CmdopError('not_found', 'There is no such tunnel in your fleet.')
    return tunnel
  }

  /** The right was looked at without the machine, which only now is known. Throws `permission`. */
  async function assertMay(caller: Caller, machineId: string): Promise<void> {
    const machine = await store.machines.get(machineId)
    const decision = authorise(caller, 'tunnel.open', machine && { fleetId: machine.fleetId, machine })
    if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  }

  function viewOf(tunnel: TunnelRow): TunnelView {
    return {
      tunnel_id: tunnel.id,
      fleet_id: tunnel.fleetId,
      session_id: tunnel.machineId,
      machine_id: tunnel.machineId,
      subdomain: tunnel.subdomain,
      local_host: tunnel.localHost,
      local_port: tunnel.localPort,
      protocol: tunnel.protocol,
      public_url: tunnel.subdomain === null ? null : tunnels.publicUrl(tunnel.subdomain),
      state: tunnel.closedAt === null ? 'active' : 'closed',
      closed_reason: tunnel.closedReason,
      auth: tunnel.auth,
      allowed_peers: tunnel.allowedPeers === null ? null : [...tunnel.allowedPeers],
      max_connections: tunnel.maxConnections,
      max_bytes: tunnel.maxBytes,
      bytes: tunnel.bytes,
      connections: tunnel.connections,
      idle_seconds: tunnel.idleSeconds,
      tls_server_name: tunnel.tlsServerName,
      insecure_tls: tunnel.insecureTls,
      created_by: tunnel.createdById,
      created_at: tunnel.createdAt,
      expires_at: tunnel.expiresAt,
      closed_at: tunnel.closedAt,
    }
  }
}

function isAllowed(caller: Caller, machine: ListedMachine): boolean {
  return authorise(caller, 'tunnel.read', { fleetId: machine.fleetId, machine }).allowed
}

/** Throws `validation` unless one machine is named. */
function machineOf({ machine_id, session_id }: z.output<typeof TunnelOpen>): string {
  const named = machine_id ?? session_id
  if (named === undefined || (session_id !== undefined && session_id !== named))
    throw new CmdopError('validation', 'Expected the machine as machine_id (or session_id, which is the same here).')
  return named
}

function subjectOf({ id, localHost, localPort, protocol }: TunnelRow, what: string): string {
  return `tunnel:${id} ${what} ${protocol} ${localHost}:${localPort}`
}
