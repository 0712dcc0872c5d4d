import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { type Step, type StepKind, stepKinds } from './step.ts'

const NAME = /^[\w.-]{1,64}$/

/** What the steps of a playbook are, without what they do: what must be the same for whoever goes on with it. */
export interface StepOutline {
  readonly name: string
  readonly kind: StepKind
  readonly hasRollback: boolean
  readonly steps: readonly StepOutline[]
}
export const StepOutline: z.ZodType<StepOutline> = z.object({
  name: z.string(),
  kind: z.enum(stepKinds),
  hasRollback: z.boolean(),
  get steps() {
    return z.array(StepOutline)
  },
})

/** The outline of steps. Throws `validation` for none, and for names that are wrong or there twice. */
export function outlineOf(steps: readonly Step[]): StepOutline[] {
  const names = new Set<string>()
  const outlines = steps.map((step) => outline(step, names))
  if (outlines.length > 0) return outlines
  throw new CmdopError('validation', 'Expected a playbook to have at least one step.')
}

function outline(step: Step, names: Set<string>): StepOutline {
  const { name, kind } = step
  if (!NAME.test(name))
    throw new CmdopError(
      'validation',
      `Expected the name of a step to be 1 to 64 letters, digits, _, - and ., got '${name}'.`,
    )
  if (names.has(name))
    throw new CmdopError('validation', `Expected each step to have a name of its own, got '${name}' twice.`)
  names.add(name)
  if ('rollback' in step && step.rollback !== undefined) outline(step.rollback, names)
  const steps = kind === 'parallel' ? step.steps.map((each) => outline(each, names)) : []
  if (kind === 'parallel' && steps.length === 0)
    throw new CmdopError('validation', `Expected the parallel step '${name}' to have steps.`)
  return { name, kind, hasRollback: 'rollback' in step && step.rollback !== undefined, steps }
}
