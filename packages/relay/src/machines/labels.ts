import { CmdopError, type LabelChanges, Labels, MAX_LABELS } from '@cmdop/protocol'
import type { MachineRow, Store } from '../store/store.ts'

/** Others may be changing the labels of the same machine; one of them gets through each time. */
const MAX_TRIES = 100

/** Labels as a row has them. */
export function labelsIn(json: string): Labels {
  return json === '{}' ? {} : Labels.parse(JSON.parse(json))
}

/** What selectors see: what its daemon says of itself counts only where the relay says nothing. */
export function labelsOf({ labels, reportedLabels }: Pick<MachineRow, 'labels' | 'reportedLabels'>): Labels {
  return { ...labelsIn(reportedLabels), ...labelsIn(labels) }
}

/** Changes the relay's labels of a machine, and nothing that somebody else changes meanwhile. Throws `validation`, `not_found`. */
export async function changeLabels(
  { machines }: Pick<Store, 'machines'>,
  machineId: string,
  changes: LabelChanges,
): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const row = await machines.get(machineId)
    if (row === undefined) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
    const changed = Object.entries({ ...labelsIn(row.labels), ...changes }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    )
    if (changed.length > MAX_LABELS)
      throw new CmdopError('validation', `Expected at most ${MAX_LABELS} labels of one machine, got ${changed.length}.`)
    if (await machines.label(machineId, row.labels, JSON.stringify(Object.fromEntries(changed)))) return
  }
  throw new CmdopError('unavailable', 'The labels are being changed by many at once; try again.')
}
