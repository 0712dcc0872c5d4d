import { CmdopError } from '@cmdop/protocol'
import type { FleetMachine, FleetRow } from '../../run/fleet-row.ts'
import type { FleetContext, MachineContext } from './step.ts'

/** Why a step has no value: it is not known before it has really run. */
export class NotKnown extends Error {
  readonly step: string

  constructor(step: string) {
    super(`The value of the step '${step}' is not known before it has run.`)
    this.step = step
  }
}

/** What the steps of a playbook have given so far. */
export class StepValues {
  readonly #rows = new Map<string, readonly FleetRow<unknown>[]>()
  readonly #unknown = new Set<string>()

  /** Rows of a step, with its values as results. */
  set(step: string, rows: readonly FleetRow<unknown>[]): void {
    this.#rows.set(step, rows)
  }

  /** From now on whoever asks for the value of this step is told that it is not known: `NotKnown`. */
  setUnknown(step: string): void {
    this.#unknown.add(step)
  }

  forMachine(machine: FleetMachine): MachineContext {
    const valueOf = (step: { readonly name: string }) => {
      const row = this.#rowsOf(step.name).find((each) => each.machine.id === machine.id)
      if (row?.outcome === 'ok' && row.result !== null) return row.result
      throw new CmdopError('validation', `The step '${step.name}' has no value on ${machine.name}: ${reasonOf(row)}.`)
    }
    return { machine, valueOf: valueOf as MachineContext['valueOf'] }
  }

  forFleet(machines: readonly FleetMachine[]): FleetContext {
    const rowsOf = (step: { readonly name: string }) => this.#rowsOf(step.name)
    return { machines, rowsOf: rowsOf as FleetContext['rowsOf'] }
  }

  #rowsOf(step: string): readonly FleetRow<unknown>[] {
    if (this.#unknown.has(step)) throw new NotKnown(step)
    const rows = this.#rows.get(step)
    if (rows !== undefined) return rows
    throw new CmdopError('validation', `The step '${step}' has not run before this one; put it first.`)
  }
}

function reasonOf(row: FleetRow<unknown> | undefined): string {
  if (row === undefined) return 'it did not run there'
  return row.outcome === 'ok'
    ? 'it was too large to be kept; give less, or read it where it is'
    : `it is ${row.outcome}`
}
