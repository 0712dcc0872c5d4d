import { canonicalJson, CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { StepOutline } from './steps/outline.ts'

/** A playbook as the relay keeps it, so that another script that has its file can go on with it. */
export const PlaybookPlan = z.object({
  version: z.literal(1),
  playbook: z.string(),
  /** As they were given. */
  inputs: z.unknown(),
  steps: z.array(StepOutline),
  /** Where the playbook was read from, on the computer that ran it. */
  file: z.string().optional(),
})
export type PlaybookPlan = z.infer<typeof PlaybookPlan>

/** The plan of a run. Throws `unsupported` where it is of another version, or no playbook. */
export function readPlaybookPlan(plan: unknown): PlaybookPlan {
  const parsed = PlaybookPlan.safeParse(plan)
  if (parsed.success) return parsed.data
  throw new CmdopError('unsupported', 'The run is no playbook, or was begun by another version; go on with it there.', {
    cause: parsed.error,
  })
}

/** Throws `conflict` unless the playbook has the steps with which the run began. */
export function assertSameSteps(plan: PlaybookPlan, now: Pick<PlaybookPlan, 'playbook' | 'steps'>): void {
  const { playbook, steps } = plan
  if (canonicalJson({ playbook, steps }) === canonicalJson({ playbook: now.playbook, steps: now.steps })) return
  throw new CmdopError(
    'conflict',
    `The run began with the playbook '${playbook}' of the steps ${shown(steps)}; this one is '${now.playbook}' of ${shown(now.steps)}. Go on with the former.`,
  )
}

function shown(steps: readonly StepOutline[]): string {
  return steps.map(({ name, kind }) => `${name} (${kind})`).join(', ')
}
