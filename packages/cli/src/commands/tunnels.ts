import { Client, type TunnelView as Tunnel } from '@cmdop/core'
import { CmdopError, ConnectedSessionOption, IpRange, TunnelAuth, TunnelOpened, TunnelView } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { parseBytes, parseCount, parseSpan } from '../numbers.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'
import { parseTunnelTarget } from '../tunnel-target.ts'

interface TunnelFlags {
  json?: boolean
  signal: AbortSignal
}

/** What `cmdop tunnels open` takes beside the target. */
export interface TunnelOpenFlags {
  protocol?: string
  subdomain?: string
  ttl?: string
  allowPeer?: string[]
  auth?: string
  username?: string
  maxConnections?: string
  maxBytes?: string
  idle?: string
  tlsServerName?: string
  insecureTls?: boolean
  json?: boolean
}

/** `cmdop tunnels list`: those that are open. */
export async function listTunnelsCommand({ json, signal }: TunnelFlags): Promise<number> {
  await using client = new Client()
  const items = await Array.fromAsync(client.tunnels.iter({ signal }))
  if (json === true) await writeResource(TunnelView, { items })
  else {
    const names = items.length === 0 ? new Map<string, string>() : await machineNames(client, signal)
    const rows = items.map((tunnel) => row(tunnel, names.get(tunnel.machineId)))
    await writeStdout(formatTable(['LEADS TO', 'MACHINE', 'PROTOCOL', 'ADDRESS', 'AUTH', 'UNTIL', 'ID'], rows))
  }
  return exitCodes.ok
}

/** `cmdop tunnels open <target>`: opens one; prints what its visitors show, once. */
export async function openTunnelCommand(
  target: string,
  { json, signal, ...flags }: TunnelOpenFlags & TunnelFlags,
): Promise<number> {
  const { machine, host, port } = parseTunnelTarget(target)
  await using client = new Client()
  const { id, name } = await client.machine(machine, { signal })
  const tunnel = await client.tunnels.open(
    {
      machineId: id,
      localHost: host,
      localPort: port,
      ...(flags.protocol === undefined ? {} : { protocol: flags.protocol }),
      ...(flags.subdomain === undefined ? {} : { subdomain: flags.subdomain }),
      options: optionsOf(flags),
    },
    { signal },
  )
  if (json === true) {
    await writeJson(wireNames(TunnelOpened, tunnel))
    return exitCodes.ok
  }
  await say(`${tunnel.tunnelId} leads to ${host}:${port} on ${name} until ${tunnel.expiresAt}`)
  if (tunnel.publicUrl !== null) await say(`address: ${tunnel.publicUrl}`)
  else await say(`it has no public address; reach it from here: cmdop tunnel ${tunnel.tunnelId} --local ${port}`)
  if (tunnel.token !== null) await say(`token of visitors (Authorization: Bearer), shown only now: ${tunnel.token}`)
  if (tunnel.username !== null)
    await say(`name and password of visitors, shown only now: ${tunnel.username} ${tunnel.password ?? '(yours)'}`)
  return exitCodes.ok
}

/** `cmdop tunnels close <id>`. */
export async function closeTunnelCommand(id: string, { json, signal }: TunnelFlags): Promise<number> {
  await using client = new Client()
  await client.tunnels.close(id, { signal })
  if (json === true) await writeJson({ tunnel_id: id })
  else await say(`${id} is closed`)
  return exitCodes.ok
}

/** `cmdop tunnels get <id>`. */
export async function getTunnelCommand(id: string, { json, signal }: TunnelFlags): Promise<number> {
  await using client = new Client()
  const tunnel = await client.tunnels.get(id, { signal })
  if (json === true) await writeResource(TunnelView, tunnel)
  else {
    const shown = wireNames(TunnelView, tunnel) as Record<string, unknown>
    await writeStdout(
      formatTable(
        ['FIELD', 'VALUE'],
        Object.entries(shown).map(([name, value]) => [name, textOf(value)]),
      ),
    )
  }
  return exitCodes.ok
}

/** `cmdop tunnels sessions`: the machines that are connected. */
export async function listTunnelSessionsCommand({ json, signal }: TunnelFlags): Promise<number> {
  await using client = new Client()
  const items = await Array.fromAsync(client.tunnels.iterSessions({ signal }))
  if (json === true) await writeResource(ConnectedSessionOption, { items })
  else {
    const rows = items.map(({ label, hostname, status, machineId }) => [label, hostname, status, machineId])
    await writeStdout(formatTable(['MACHINE', 'HOSTNAME', 'STATUS', 'ID'], rows))
  }
  return exitCodes.ok
}

function optionsOf(flags: TunnelOpenFlags) {
  const { ttl, allowPeer, auth, username, maxConnections, maxBytes, idle, tlsServerName, insecureTls } = flags
  return {
    ...(ttl === undefined ? {} : { ttlSeconds: Math.ceil(parseSpan(ttl) / 1000) }),
    ...(allowPeer === undefined ? {} : { allowedPeers: allowPeer.map(rangeOf) }),
    ...(auth === undefined ? {} : { auth: authOf(auth) }),
    ...(username === undefined ? {} : { username }),
    ...(maxConnections === undefined ? {} : { maxConnections: parseCount('--max-connections', maxConnections) }),
    ...(maxBytes === undefined ? {} : { maxBytes: parseBytes('--max-bytes', maxBytes) }),
    ...(idle === undefined ? {} : { idleSeconds: Math.ceil(parseSpan(idle) / 1000) }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(insecureTls === undefined ? {} : { insecureTls }),
  }
}

function authOf(text: string): TunnelAuth {
  const auth = TunnelAuth.safeParse(text)
  if (auth.success) return auth.data
  throw new CmdopError('config', `Expected --auth to be none, bearer or basic, got "${text}".`)
}

function rangeOf(text: string): string {
  const range = IpRange.safeParse(text)
  if (range.success) return range.data
  throw new CmdopError('config', `Expected --allow-peer to be an address or a range (CIDR), got "${text}".`)
}

/** Names of the machines that the key is for, by their ids. */
async function machineNames(client: Client, signal: AbortSignal): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for await (const { id, name } of client.machines.iter({ limit: 500, signal })) names.set(id, name)
  return names
}

function row(tunnel: Tunnel, machine = tunnel.machineId): string[] {
  const { localHost, localPort, protocol, publicUrl, auth, expiresAt, tunnelId } = tunnel
  return [`${localHost}:${localPort}`, machine, protocol, publicUrl ?? '-', auth, expiresAt, tunnelId]
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ')
  return value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value)
}
