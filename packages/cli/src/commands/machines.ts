import { Client } from '@cmdop/core'
import { exitCodes } from '../exit-codes.ts'
import { formatTable, writeJson, writeStdout } from '../terminal.ts'

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
    const rows = machines.map(({ name, presence, hostname, os, architecture, last_seen_at, id }) => [
      name,
      presence,
      hostname,
      `${os}/${architecture}`,
      last_seen_at ?? 'never',
      id,
    ])
    await writeStdout(formatTable(['NAME', 'PRESENCE', 'HOSTNAME', 'SYSTEM', 'LAST SEEN', 'ID'], rows))
  }
  return exitCodes.ok
}
