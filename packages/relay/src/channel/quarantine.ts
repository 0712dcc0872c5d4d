import { CmdopError } from '@cmdop/protocol'
import type { MachineRow } from '../store/store.ts'

/** The error of a machine whose key two daemons used at once. */
export function quarantined({ id, name }: Pick<MachineRow, 'id' | 'name'>): CmdopError {
  return new CmdopError(
    'quarantined',
    `Two daemons used the key of ${name} at once, so neither may run anything. ` +
      `Stop the copy and enrol it as a machine of its own, then run: cmdop machines release ${name}.`,
    { details: { machineId: id } },
  )
}
