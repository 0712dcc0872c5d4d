import { readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Facts } from '@cmdop/protocol'
import type { FactsSource } from './facts-source.ts'
import { goneCodes, listProcessIds, readEach, readProcessName, unless } from './proc.ts'
import { type OpenSocket, parseSocketTable } from './socket-table.ts'

type Port = NonNullable<Facts['ports']>[number]

/** Codes of another user's process. */
const foreignCodes = [...goneCodes, 'EACCES', 'EPERM']

/**
 * Listening sockets with their owners: the tables of /proc/net and the open files of all processes on Linux, `netstat`
 * through systeminformation elsewhere. A socket that several processes share belongs to the oldest id.
 */
export async function readPorts(source: FactsSource): Promise<Port[]> {
  const ports = source.platform === 'linux' ? await readProcPorts(source) : await readPortsElsewhere()
  return uniquePorts(ports).sort((left, right) => left.port - right.port)
}

async function readProcPorts(source: FactsSource): Promise<Port[]> {
  const sockets = await readSockets(source.procRoot)
  const owners = await readOwners(new Set(sockets.map((socket) => socket.inode)), source)
  return sockets.map(({ protocol, address, port, inode }) => ({
    protocol,
    address,
    port,
    process: owners.get(inode) ?? null,
  }))
}

async function readSockets(procRoot: string): Promise<OpenSocket[]> {
  const readTable = async (table: string, protocol: OpenSocket['protocol']) =>
    parseSocketTable(await readFile(join(procRoot, 'net', table), 'utf8'), protocol)
  const tables = await Promise.all([
    readTable('tcp', 'tcp'),
    readTable('udp', 'udp'),
    // A kernel without IPv6 has none of these.
    unless(['ENOENT'], readTable('tcp6', 'tcp')),
    unless(['ENOENT'], readTable('udp6', 'udp')),
  ])
  return tables.flatMap((sockets) => sockets ?? [])
}

/** Names of the processes that own these sockets, by inode. */
async function readOwners(
  inodes: ReadonlySet<string>,
  { procRoot, signal }: FactsSource,
): Promise<Map<string, string>> {
  const owned = await readEach(await listProcessIds(procRoot), signal, async (pid) => {
    const found = (await readSocketInodes(join(procRoot, String(pid), 'fd'))).filter((inode) => inodes.has(inode))
    return { found, name: found.length === 0 ? '' : await readProcessName(procRoot, pid) }
  })
  const owners = new Map<string, string>()
  for (const { found, name } of owned) {
    for (const inode of found) if (!owners.has(inode)) owners.set(inode, name)
  }
  return owners
}

async function readSocketInodes(folder: string): Promise<string[]> {
  const inodes: string[] = []
  for (const descriptor of (await unless(foreignCodes, readdir(folder))) ?? []) {
    const target = await unless(foreignCodes, readlink(join(folder, descriptor)))
    const inode = /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1]
    if (inode !== undefined) inodes.push(inode)
  }
  return inodes
}

async function readPortsElsewhere(): Promise<Port[]> {
  const { networkConnections } = await import('systeminformation')
  const connections = await networkConnections()
  // No system is without any socket; an empty list is how systeminformation tells a failure.
  if (connections.length === 0) throw new Error('netstat named no socket')
  return connections
    .filter(({ protocol, state, peerPort }) => (protocol.startsWith('udp') ? peerPort === '*' : state === 'LISTEN'))
    .filter(({ localPort }) => /^\d+$/.test(localPort))
    .map((connection) => ({
      protocol: connection.protocol.startsWith('udp') ? 'udp' : 'tcp',
      address: connection.localAddress,
      port: Number(connection.localPort),
      process: connection.process || null,
    }))
}

/** Several sockets may share one port (SO_REUSEPORT); it is told once. */
function uniquePorts(ports: readonly Port[]): Port[] {
  return [...new Map(ports.map((port) => [JSON.stringify(Object.values(port)), port])).values()]
}
