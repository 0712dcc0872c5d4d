import { CmdopError, toCmdopError } from '@cmdop/protocol'
import { beginRun } from '../../jobs/begin-run.ts'
import { goOnAs } from '../../jobs/go-on.ts'
import type { StepReport } from '../playbook-report.ts'
import type { ApproveStep } from '../steps/step.ts'
import { approveKind } from './approve-job.ts'
import { assertAsApproved } from './assert-as-approved.ts'
import { asFleetRun } from './as-fleet-run.ts'
import { notBegun } from './judge-step.ts'
import { nextSteps } from './next-steps.ts'
import type { Scene, StepSite } from './scene.ts'

/**
 * Asks people, who see for each machine what comes next there; who goes on with the playbook waits for the same question. Throws
 * `conflict` where something else comes next by then.
 */
export async function performApprove(scene: Scene, step: ApproveStep, site: StepSite): Promise<StepReport> {
  const { client } = scene
  const denial = await deniedMeanwhile(scene, site.part)
  if (denial !== undefined) return { ...notBegun(step, denial), outcome: 'denied' }
  let isNew = false
  const report = await asFleetRun(scene, step, site, ({ runId, isBegun, signal }) => {
    if (isBegun) return goOnAs(client, runId, () => approveKind, { signal, retry: undefined })
    const question = questionFor(scene, step, site)
    if (question instanceof CmdopError) return notBegun(step, question)
    const { title, approval, shown } = question
    const { machines } = site
    const about = { kind: approveKind, title, find: async () => machines, planFor: () => ({ shown }) }
    isNew = true
    return beginRun(client, about, { runId, approval, maxFailures: 0, signal })
  })
  // What is undone is so also where the file was changed.
  if (isNew || site.isOver || report.outcome !== 'ok') return report
  const now = questionFor(scene, step, site)
  if (now instanceof CmdopError) return notBegun(step, now)
  await assertAsApproved(scene, report, now.shown)
  return report
}

/** People may have said no while no script was there: then nobody asks them again. */
async function deniedMeanwhile({ client, records }: Scene, part: string): Promise<CmdopError | undefined> {
  const { wait, runId } = (await records.find(part)) ?? {}
  if (wait?.for !== 'approval' || runId === undefined) return undefined
  const { state, votes } = await client.approvals.get(wait.approvalId)
  if (state !== 'denied' && state !== 'expired' && state !== 'void') return undefined
  const vote = votes.find((each) => each.vote === 'deny')
  const message =
    vote === undefined ? `Nobody approved it: it is ${state}.` : `${vote.personName} rejected it. ${vote.reason}`.trim()
  const { epoch } = await client.fleetRuns.claim(runId)
  await client.fleetRuns.record(runId, { epoch, rows: [], state: 'stopped', stop: { reason: 'denied', message } })
  return new CmdopError('approval_denied', message)
}

function questionFor({ values, name }: Scene, step: ApproveStep, { machines, next }: StepSite) {
  const { title, options } = step
  const { reason, requirement, expiresInSeconds } = options
  try {
    const context = values.forFleet(machines)
    const shown = machines.map((machine) => {
      const steps = JSON.parse(JSON.stringify(nextSteps(values, next, machine))) as unknown
      return [machine.id, { playbook: name, step: step.name, next: steps }] as const
    })
    return {
      title: `${name}: ${typeof title === 'function' ? title(context) : title}`,
      shown: Object.fromEntries(shown),
      approval: {
        at: 'before' as const,
        ...(reason === undefined ? {} : { reason: typeof reason === 'function' ? reason(context) : reason }),
        ...(requirement === undefined ? {} : { requirement }),
        ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
      },
    }
  } catch (error) {
    return toCmdopError(error, 'validation', `The question of a step could not be made: ${String(error)}`)
  }
}
