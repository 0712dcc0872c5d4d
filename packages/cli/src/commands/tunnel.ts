import { Client, type ForwardTarget, type ListenOptions, type TunnelListener } from '@cmdop/core'
import { exitCodes } from '../exit-codes.ts'
import { interrupted } from '../interrupt.ts'
import { parsePort } from '../numbers.ts'
import { say, writeJson, writeStderr } from '../terminal.ts'
import { parseTunnelTarget } from '../tunnel-target.ts'

export interface TunnelFlags {
  local?: string
  localHost?: string
  json?: boolean
  signal: AbortSignal
}

/** `cmdop tunnel <target>`: a port on this computer that leads to a port of a machine, until ^C. */
export async function tunnelCommand(target: string, { local, localHost, json, signal }: TunnelFlags): Promise<number> {
  await using client = new Client()
  const options: ListenOptions = {
    localPort: parsePort(local, 0),
    ...(localHost === undefined ? {} : { localHost }),
    onError: ({ message }) => void writeStderr(`cmdop: a connection failed: ${message}\n`),
    signal,
  }
  const { leadsTo, listener } = await listen(client, target, options)
  const address = `${listener.host.includes(':') ? `[${listener.host}]` : listener.host}:${listener.port}`
  if (json === true) await writeJson({ address, host: listener.host, port: listener.port, target: leadsTo })
  else await say(`${address} leads to ${leadsTo}; ^C ends it`)
  await interrupted(signal)
  await listener.close()
  return exitCodes.ok
}

async function listen(
  client: Client,
  target: string,
  options: ListenOptions,
): Promise<{ leadsTo: string; listener: TunnelListener }> {
  if (/^tun_[a-z0-9]+$/.test(target)) {
    const { localHost, localPort, machineId } = await client.tunnels.get(target)
    const leadsTo = `${localHost}:${localPort} on ${machineId}`
    return { leadsTo, listener: await client.tunnels.listen(target, options) }
  }
  const { machine, host, port } = parseTunnelTarget(target)
  const { id, name } = await client.machine(machine)
  const forward: ForwardTarget = { machineId: id, host, port }
  return { leadsTo: `${host}:${port} on ${name}`, listener: await client.tunnels.listen(forward, options) }
}
