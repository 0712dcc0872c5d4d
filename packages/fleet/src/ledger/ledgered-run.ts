import { type CmdopError, type FleetRunClaimed, type FleetRunState } from '@cmdop/protocol'
import { type FleetReport, reportOf } from '../report/fleet-report.ts'
import { conduct, type FleetEvent, type FleetStop, type Job } from '../run/conduct.ts'
import type { FleetOptions, FleetPlan } from '../run/fleet-options.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import type { FleetClient } from '../fleet-client.ts'
import { LedgerWriter } from './ledger-writer.ts'

export interface LedgeredRun<Result> {
  readonly client: FleetClient
  readonly claimed: FleetRunClaimed
  readonly job: Job<Result>
  readonly plan: FleetPlan
  readonly check: FleetOptions<Result>['check']
  readonly done: ReadonlyMap<string, FleetRow<Result>>
  readonly emit: (event: FleetEvent<Result>) => void
  readonly signal: AbortSignal
}

/** Carries a run out and writes it down as it goes. */
export async function carryOut<Result>(run: LedgeredRun<Result>): Promise<FleetReport<Result>> {
  const { client, plan } = run
  const { epoch, run: about } = run.claimed
  const startedAt = new Date().toISOString()
  const began = performance.now()
  const [cancelling, leaving] = [new AbortController(), new AbortController()]
  const cannotWrite = ({ message }: CmdopError) => leaving.abort(`The ledger of the run takes no more: ${message}`)
  const writer = new LedgerWriter({
    record: (progress) => client.fleetRuns.record(about.runId, progress),
    epoch,
    cancelRequested: () => cancelling.abort(),
    failed: cannotWrite,
  })
  const emit = (event: FleetEvent<Result>) => {
    if (event.type === 'machine-end') writer.add(event.row)
    run.emit(event)
  }
  const signal = AbortSignal.any([run.signal, cancelling.signal])
  const { job, check, done } = run
  const leave = leaving.signal
  const conclusion = await conduct({ ...plan, job, check, done, emit, signal, leave })
  await writer.end(stateOf(conclusion.stop), conclusion.stop)
  // The last rows may be what it did not take.
  const unwritten: FleetStop | undefined = leave.aborted
    ? { reason: 'ledger', message: String(leave.reason) }
    : undefined
  const { rows, stop = unwritten } = conclusion
  const durationMs = Math.round(performance.now() - began)
  return reportOf({ runId: about.runId, rows, stop, maxFailures: plan.limit.max, startedAt, durationMs })
}

function stateOf(stop: FleetStop | undefined): FleetRunState {
  if (stop === undefined) return 'ended'
  return stop.reason === 'cancelled' ? 'cancelled' : 'stopped'
}
