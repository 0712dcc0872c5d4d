import type { MachineSummary } from '@cmdop/core'
import { formatTable, writeStdout } from './terminal.ts'

/** Machines, for people. */
export async function writeMachines(machines: readonly MachineSummary[]): Promise<void> {
  const rows = machines.map((machine) => [
    machine.name,
    stateOf(machine),
    machine.hostname,
    `${machine.os}/${machine.architecture}`,
    machine.lastSeenAt ?? 'never',
    shownLabels(machine.labels),
    machine.id,
  ])
  await writeStdout(formatTable(['NAME', 'PRESENCE', 'HOSTNAME', 'SYSTEM', 'LAST SEEN', 'LABELS', 'ID'], rows))
}

/** How a machine is, in one word. */
export function stateOf({ presence, quarantinedAt, disabledAt }: MachineSummary): string {
  if (disabledAt !== null) return 'disabled'
  return quarantinedAt === null ? presence : 'quarantined'
}

/** Labels as people write them: `role=web,zone=a`. */
export function shownLabels(labels: MachineSummary['labels']): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '-' : pairs.toSorted().join(',')
}
