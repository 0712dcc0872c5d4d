import { Client } from '@cmdop/core'
import { exitCodes } from '../exit-codes.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

export interface MachinesFlags {
  presence?: 'any' | 'online' | 'suspect' | 'offline'
  json?: boolean
}

/** `cmdop machines`: the machines of the fleet. */
export async function machinesCommand(flags: MachinesFlags): Promise<number> {
  await using client = new Client()
  const machines = await Array.fromAsync(client.machines.iter({ presence: flags.presence ?? 'any' }))
  if (flags.json === true) await writeJson({ items: machines })
  else {
    const rows = machines.map(({ name, presence, quarantined_at, hostname, os, architecture, last_seen_at, id }) => [
      name,
      quarantined_at === null ? presence : 'quarantined',
      hostname,
      `${os}/${architecture}`,
      last_seen_at ?? 'never',
      id,
    ])
    await writeStdout(formatTable(['NAME', 'PRESENCE', 'HOSTNAME', 'SYSTEM', 'LAST SEEN', 'ID'], rows))
  }
  return exitCodes.ok
}

/** `cmdop machines release`: after the copy of the machine was stopped. */
export async function releaseCommand(reference: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const { name } = await client.machines.release(id, { signal })
  await say(`${name} is released; its daemon connects again within a minute`)
  return exitCodes.ok
}
