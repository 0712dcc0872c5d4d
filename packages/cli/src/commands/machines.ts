import { Client } from '@cmdop/core'
import { type Labels, parseLabelChanges, MachineSummary } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, say, writeStdout } from '../terminal.ts'

export interface MachinesFlags {
  presence?: 'any' | 'online' | 'suspect' | 'offline'
  json?: boolean
}

/** `cmdop machines`: the machines of the fleet. */
export async function machinesCommand(flags: MachinesFlags): Promise<number> {
  await using client = new Client()
  const machines = await Array.fromAsync(client.machines.iter({ presence: flags.presence ?? 'any' }))
  if (flags.json === true) await writeResource(MachineSummary, { items: machines })
  else {
    const rows = machines.map(
      ({ name, presence, quarantinedAt, hostname, os, architecture, lastSeenAt, labels, id }) => [
        name,
        quarantinedAt === null ? presence : 'quarantined',
        hostname,
        `${os}/${architecture}`,
        lastSeenAt ?? 'never',
        shownLabels(labels),
        id,
      ],
    )
    await writeStdout(formatTable(['NAME', 'PRESENCE', 'HOSTNAME', 'SYSTEM', 'LAST SEEN', 'LABELS', 'ID'], rows))
  }
  return exitCodes.ok
}

/** `cmdop machines label`: `role=web` sets, `role-` removes. */
export async function labelCommand(
  reference: string,
  changes: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const { name, labels } = await client.machines.label(id, parseLabelChanges(changes), { signal })
  await say(`${name}: ${shownLabels(labels)}`)
  return exitCodes.ok
}

function shownLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '-' : pairs.toSorted().join(',')
}

/** `cmdop machines release`: after the copy of the machine was stopped. */
export async function releaseCommand(reference: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { id } = await client.machines.resolve(reference, { signal })
  const { name } = await client.machines.release(id, { signal })
  await say(`${name} is released; its daemon connects again within a minute`)
  return exitCodes.ok
}
