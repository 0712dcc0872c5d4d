import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import type { FleetKind } from '../../jobs/kind.ts'
import { readPlan, RunPlan } from '../../ledger/run-plan.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { StepApproval } from '../steps/step.ts'

/** What people are asked, as the ledger keeps it. */
const ApprovePlan = z.object({
  ...RunPlan.shape,
  /** What they see of each machine, by its id. */
  shown: z.record(z.string(), z.record(z.string(), z.unknown())),
})

/** That nothing is done on machines but what people have said is kept of each. `before` is the gate that asks. */
export const approveKind: FleetKind<StepApproval, object> = {
  name: 'playbook',
  open: (written) => {
    const plan = readPlan(ApprovePlan, written)
    const shownOf = ({ id, name }: FleetMachine) => {
      const shown = plan.shown[id]
      if (shown !== undefined) return shown
      throw new CmdopError('validation', `The question has nothing about ${name}.`)
    }
    return {
      plan,
      callOf: (machine) => ({ method: 'tool', params: { tool: 'playbook', input: shownOf(machine) } }),
      job: ({ client, approvalOf }) => {
        const voters = new Map<string, Promise<string[]>>()
        const votersOf = (approvalId: string) => {
          const known = voters.get(approvalId) ?? namesOf(client.approvals.decided(approvalId))
          voters.set(approvalId, known)
          return known
        }
        return {
          run: async (machine) => {
            const approvalId = approvalOf(machine)
            if (approvalId === undefined) throw new CmdopError('approval_required', 'Nobody was asked.')
            return { outcome: 'ok', result: { approvalId, by: await votersOf(approvalId) } }
          },
        }
      },
    }
  },
}

async function namesOf(
  info: Promise<{ readonly votes: readonly { readonly personName: string }[] }>,
): Promise<string[]> {
  return (await info).votes.map(({ personName: name }) => name)
}
