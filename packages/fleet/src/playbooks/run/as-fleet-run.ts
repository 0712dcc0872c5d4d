import { type FleetRunState, isCmdopError } from '@cmdop/protocol'
import { readReport } from '../../ledger/read-report.ts'
import type { FleetReport } from '../../report/fleet-report.ts'
import type { FleetExecution } from '../../run/fleet-execution.ts'
import type { StepReport } from '../playbook-report.ts'
import type { Step } from '../steps/step.ts'
import { judgeStep, notBegun, skippedStep } from './judge-step.ts'
import type { Scene, StepSite } from './scene.ts'

/** What a step begins or goes on with. */
interface Beginning {
  readonly runId: string
  /** A script was at it. */
  readonly isBegun: boolean
  readonly signal: AbortSignal
}

/**
 * A step as a fleet run: read where it is over, else begun, or gone on with. `start` gives the report where it cannot begin. What is
 * wrong with the step is how it ended; that the relay is not there ends the script, and nothing else.
 */
export async function asFleetRun(
  { client, records, emit }: Scene,
  { name: step, kind }: Step,
  { part, signal, isOver }: StepSite,
  start: (beginning: Beginning) => FleetExecution<unknown> | StepReport,
): Promise<StepReport> {
  const about = { name: step, kind }
  const runId = records.idOf(part)
  const known = await records.find(part)
  // A script that is gone was at it, and nobody goes on with it: whoever was asked for it need not answer any more.
  const isLeft = isOver && known !== undefined && !isAtItsEnd(known.state)
  const state = isLeft ? (await client.fleetRuns.cancel(runId)).state : known?.state
  if (state !== undefined && isAtItsEnd(state)) return judgeStep(about, await readReport(client, runId), state)
  if (isOver) return skippedStep(about)
  const started = start({ runId, isBegun: known !== undefined, signal })
  if ('outcome' in started) return started
  let report: FleetReport<unknown>
  try {
    for await (const event of started) emit({ type: 'step-event', step, runId, event })
    report = await started
  } catch (error) {
    if (isCmdopError(error) && ofTheStep.has(error.code)) return notBegun(about, error)
    throw error
  }
  return judgeStep(about, report)
}

/** What says that the step cannot be done as it is. */
const ofTheStep: ReadonlySet<string> = new Set([
  'validation',
  'not_found',
  'permission',
  'policy_denied',
  'unsupported',
  'frame_too_large',
])

function isAtItsEnd(state: FleetRunState): boolean {
  return state === 'ended' || state === 'stopped' || state === 'cancelled'
}
