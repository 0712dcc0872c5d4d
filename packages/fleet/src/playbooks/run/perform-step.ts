import type { OperatorResult } from '../../jobs/operator/operator-result.ts'
import type { FleetRow } from '../../run/fleet-row.ts'
import type { StepOutcome, StepReport } from '../playbook-report.ts'
import type { ParallelStep, Step } from '../steps/step.ts'
import { performApprove } from './perform-approve.ts'
import { performCheck } from './perform-check.ts'
import { performMachineStep } from './perform-machine-step.ts'
import type { Scene, StepSite } from './scene.ts'

/**
 * Does a step, or finds out how it ended where it was done before. Throws where that cannot be written down or read: `connection`, and
 * `conflict` where another script goes on with the playbook.
 */
export async function performStep(scene: Scene, step: Step, site: StepSite): Promise<StepReport> {
  if (!site.isOver) scene.emit({ type: 'step-start', step: step.name, kind: step.kind })
  const report = await perform(scene, step, site)
  if (step.kind !== 'parallel')
    scene.values.set(
      step.name,
      report.rows.map((row) => valueRow(step, row)),
    )
  if (!site.isOver) scene.emit({ type: 'step-end', report })
  return report
}

function perform(scene: Scene, step: Step, site: StepSite): Promise<StepReport> {
  if (step.kind === 'check') return performCheck(scene, step, site)
  if (step.kind === 'approve') return performApprove(scene, step, site)
  return step.kind === 'parallel' ? performParallel(scene, step, site) : performMachineStep(scene, step, site)
}

async function performParallel(scene: Scene, step: ParallelStep, site: StepSite): Promise<StepReport> {
  const settled = await Promise.allSettled(
    step.steps.map((each) => performStep(scene, each, { ...site, part: each.name })),
  )
  const steps = settled.map((each) => {
    if (each.status === 'fulfilled') return each.value
    throw each.reason
  })
  const worst =
    worstFirst.find((outcome) => steps.some((each) => each.outcome === outcome)) ??
    (site.isOver && steps.every(({ outcome }) => outcome === 'skipped') ? 'skipped' : 'ok')
  const message = steps.find(({ outcome }) => outcome === worst)?.message ?? null
  return { step: step.name, kind: step.kind, outcome: worst, message, runId: null, rows: [], steps }
}

/** What ends the playbook where several steps ended otherwise than well. */
const worstFirst: readonly StepOutcome[] = ['unknown', 'cancelled', 'denied', 'failed']

/** Of an AI operator later steps use the answer, not the account of how it came to it. */
function valueRow({ kind }: Step, row: FleetRow<unknown>): FleetRow<unknown> {
  if (kind !== 'run' || row.result === null) return row
  return { ...row, result: (row.result as OperatorResult).output }
}
