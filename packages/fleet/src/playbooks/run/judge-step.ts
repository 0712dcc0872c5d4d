import { CmdopError, type FleetRunState, isFailure } from '@cmdop/protocol'
import type { AnyResult } from '../../jobs/kinds.ts'
import type { FleetReport } from '../../report/fleet-report.ts'
import { endOf } from '../../report/render-text.ts'
import type { FleetRow } from '../../run/fleet-row.ts'
import type { StepOutcome, StepReport } from '../playbook-report.ts'
import type { Step } from '../steps/step.ts'

type About = Pick<Step, 'name' | 'kind'>

/**
 * How a step ended, by the fleet run that it was. `state`: as the relay has it, which knows that somebody cancelled what no script was
 * at. Throws `conflict` where another script goes on with it.
 */
export function judgeStep(
  { name: step, kind }: About,
  report: FleetReport<unknown>,
  state: FleetRunState = 'ended',
): StepReport {
  const { runId, rows, stop } = report
  if (stop?.reason === 'ledger')
    throw new CmdopError('conflict', `The step '${step}' is not written down any more: ${stop.message}`)
  // Cancelled, and no script has said what came of what it had begun.
  if (state === 'cancelled' && stop === null) return leftAlone({ name: step, kind }, report)
  const outcome = outcomeOf(report)
  if (outcome === 'ok') return { step, kind, outcome, message: null, runId, rows, steps: [] }
  const first = rows.find((row) => isFailure(row.outcome))
  const why = first === undefined ? [] : [`${first.machine.name}: ${endOf(first as FleetRow<AnyResult>)}`]
  const message = [...(stop === null ? [] : [stop.message]), ...why].join(' ')
  return { step, kind, outcome, message, runId, rows, steps: [] }
}

function leftAlone({ name: step, kind }: About, { runId, rows }: FleetReport<unknown>): StepReport {
  // Neither a question nor a check changes anything.
  const isHarmless = kind === 'approve' || kind === 'check'
  const message = isHarmless
    ? 'It was cancelled while no script was at it.'
    : 'It was cancelled while no script was at it: whether it ran where it is not written down is not known.'
  return { step, kind, outcome: isHarmless ? 'cancelled' : 'unknown', message, runId, rows, steps: [] }
}

function outcomeOf({ rows, stop }: FleetReport<unknown>): StepOutcome {
  // Also where nobody cancelled the run, but what it did on a machine.
  if (stop?.reason === 'cancelled' || rows.some((row) => row.outcome === 'cancelled')) return 'cancelled'
  const bad = rows.filter((row) => isFailure(row.outcome))
  // Within what the step may fail, and somebody is left to go on with.
  if (stop === null && (rows.length === 0 || rows.some(({ outcome }) => outcome === 'ok'))) return 'ok'
  if (bad.some(({ outcome }) => outcome === 'unknown' || outcome === 'lost')) return 'unknown'
  if (stop?.reason === 'denied' || (bad.length > 0 && bad.every(({ outcome }) => outcome === 'denied'))) return 'denied'
  return 'failed'
}

/** The report of a step that could not begin, such as one whose function threw. */
export function notBegun({ name: step, kind }: About, error: CmdopError): StepReport {
  const outcome = error.code === 'permission' || error.code === 'policy_denied' ? 'denied' : 'failed'
  return { step, kind, outcome, message: error.message, runId: null, rows: [], steps: [] }
}

/** The report of a step that was not begun, and is not begun any more. */
export function skippedStep({ name: step, kind }: About): StepReport {
  return { step, kind, outcome: 'skipped', message: null, runId: null, rows: [], steps: [] }
}
