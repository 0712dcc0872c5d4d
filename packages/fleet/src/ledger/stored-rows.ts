import type { FleetRunTarget, MachineSummary } from '@cmdop/core'
import type { FleetMachine, FleetRow } from '../run/fleet-row.ts'
import type { WrittenRow } from './ledger-writer.ts'

/** A machine of a run as the ledger knows it, where the fleet has it no more. */
export function machineOf(target: FleetRunTarget, known: ReadonlyMap<string, MachineSummary>): FleetMachine {
  const { machineId: id, name } = target
  return known.get(id) ?? { id, name, hostname: name, labels: {} }
}

/** The row of a machine that is done; undefined: it is not. What was written is of this package, by the relay's word. */
export function rowOf<Result>(target: FleetRunTarget, machine: FleetMachine): FleetRow<Result> | undefined {
  const { outcome, row, wave } = target
  if (outcome === null || row === null) return undefined
  return { ...(row as unknown as WrittenRow & { readonly result: Result | null }), machine, wave, outcome }
}
