import { CmdopError, toCmdopError } from '@cmdop/protocol'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { MachineContext } from '../steps/step.ts'
import type { StepValues } from '../steps/values.ts'

/** What is said or made for each machine, made for each of them; or why it could not be made: the script's own function makes it. */
export function forEach<Made extends string | readonly string[]>(
  values: StepValues,
  machines: readonly FleetMachine[],
  given: Made | ((context: MachineContext) => Made),
): { readonly of: (machine: FleetMachine) => Made; readonly all: Readonly<Record<string, Made>> } | CmdopError {
  try {
    const entries = machines.map((machine): [string, Made] => [machine.id, madeFor(values.forMachine(machine), given)])
    const made = new Map(entries)
    const of = ({ id, name }: FleetMachine) => {
      const own = made.get(id)
      if (own !== undefined) return own
      throw new CmdopError('validation', `The step is not made for ${name}.`)
    }
    return { of, all: Object.fromEntries(entries) }
  } catch (error) {
    return toCmdopError(error, 'validation', `What a step does could not be made: ${String(error)}`)
  }
}

/** For one machine. Throws what the function throws. */
export function madeFor<Made extends string | readonly string[]>(
  context: MachineContext,
  given: Made | ((context: MachineContext) => Made),
): Made {
  return typeof given === 'function' ? given(context) : given
}
