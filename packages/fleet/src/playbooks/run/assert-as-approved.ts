import { CmdopError } from '@cmdop/protocol'
import type { StepReport } from '../playbook-report.ts'
import type { StepApproval } from '../steps/step.ts'
import { NOT_MADE } from './next-steps.ts'
import type { Scene } from './scene.ts'

/**
 * Throws `conflict` unless what comes after an approve step that has ended before is what people have seen then: the file of the playbook
 * may have changed. `shown`: what they would see of each machine now, by its id.
 */
export async function assertAsApproved(
  { client }: Pick<Scene, 'client'>,
  { step, rows, runId }: StepReport,
  shown: Readonly<Record<string, unknown>>,
): Promise<void> {
  const approvals = new Set<string>()
  const machines = new Map(
    rows.flatMap(({ outcome, result, machine }) => {
      if (outcome !== 'ok' || result === null) return []
      approvals.add((result as StepApproval).approvalId)
      return [[machine.id, machine.name] as const]
    }),
  )
  for (const approvalId of approvals)
    for await (const { machineId: id, params } of client.approvals.actions(approvalId)) {
      const name = machines.get(id)
      if (name !== undefined && !isAsSeen(params?.['input'], shown[id])) throw changed(step, name, runId)
    }
}

/** What could not be made yet when people saw it may be anything now. */
function isAsSeen(seen: unknown, now: unknown): boolean {
  if (seen === NOT_MADE || seen === now) return true
  if (!isParts(seen) || !isParts(now)) return false
  const keys = new Set([...Object.keys(seen), ...Object.keys(now)])
  return Array.isArray(seen) === Array.isArray(now) && Array.from(keys).every((key) => isAsSeen(seen[key], now[key]))
}

function isParts(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function changed(step: string, machine: string, runId: string | null): CmdopError {
  return new CmdopError(
    'conflict',
    `What comes after the step '${step}' on ${machine} is not what people have approved (fleet run ${runId}): the playbook was changed since. Go on with the former one, or undo it and begin anew.`,
  )
}
