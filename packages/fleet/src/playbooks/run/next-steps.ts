import type { FleetMachine } from '../../run/fleet-row.ts'
import type { CheckStep, MachineContext, MachineStep, Step, StepKind } from '../steps/step.ts'
import type { StepValues } from '../steps/values.ts'
import { madeFor } from './for-each.ts'

/** What people read where what a step does cannot be made yet. */
export const NOT_MADE = '(made of what a step before it gives)'

/** A step as people read it before it runs. */
export interface NextStep {
  readonly step: string
  readonly kind: StepKind
  /** What is run, asked or copied on this machine. */
  readonly does?: string | readonly string[]
  /** Likewise, of what undoes it. */
  readonly rollback?: string | readonly string[]
  readonly steps?: readonly NextStep[]
}

/** What comes next on a machine: up to the step before which people are asked again. */
export function nextSteps(values: StepValues, steps: readonly Step[], machine: FleetMachine): NextStep[] {
  const context = values.forMachine(machine)
  const until = steps.findIndex(({ kind }) => kind === 'approve')
  return steps.slice(0, until === -1 ? steps.length : until).map((step) => nextStep(step, context))
}

/** One step as people read it. */
export function nextStep(step: Step, context: MachineContext): NextStep {
  const about = { step: step.name, kind: step.kind }
  if (step.kind === 'parallel') return { ...about, steps: step.steps.map((each) => nextStep(each, context)) }
  if (step.kind === 'approve') return about
  const undo = step.kind === 'check' ? undefined : step.rollback
  const does = made(() => doesOf(step, context))
  return undo === undefined ? { ...about, does } : { ...about, does, rollback: made(() => doesOf(undo, context)) }
}

/** What a step runs, asks or copies on a machine. Throws what the functions of the script throw. */
export function doesOf(step: MachineStep | CheckStep, context: MachineContext): string | readonly string[] {
  if (step.kind === 'exec' || step.kind === 'check') return madeFor(context, step.command)
  if (step.kind === 'run') return madeFor(context, step.prompt)
  return `${step.from} to ${madeFor(context, step.to)}`
}

/** What is made of what is not there yet is said to be so. */
function made(make: () => string | readonly string[]): string | readonly string[] {
  try {
    return make()
  } catch {
    return NOT_MADE
  }
}
