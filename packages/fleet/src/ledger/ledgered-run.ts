import type { FleetRunClaimed } from '@cmdop/core'
import type { CmdopError, FleetRunWait } from '@cmdop/protocol'
import { type FleetReport, reportOf } from '../report/fleet-report.ts'
import { createGate } from '../gates/create-gate.ts'
import type { JobSite, OpenedPlan } from '../jobs/kind.ts'
import { CANCELLED, conduct, type FleetEvent, type FleetStop } from '../run/conduct.ts'
import type { FleetOptions, FleetPlan } from '../run/fleet-options.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import { OfflineQueue } from '../run/offline-queue.ts'
import { clientOfRun, type FleetClient } from '../fleet-client.ts'
import { PersonHolds } from './person-holds.ts'
import { type FleetRunEnd, LedgerWriter } from './ledger-writer.ts'

export interface LedgeredRun<Result> {
  readonly client: FleetClient
  readonly claimed: FleetRunClaimed
  readonly opened: OpenedPlan<Result>
  readonly site: Omit<JobSite<Result>, 'approvalOf'>
  readonly plan: FleetPlan
  readonly check: FleetOptions<Result>['check']
  /** Somebody wants it done again on some machines. */
  readonly again: boolean
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
    told: (answer) => {
      if (answer.cancelRequested) cancelling.abort()
      holds.told(answer)
    },
    failed: cannotWrite,
  })
  const changed = (wait: FleetRunWait | null) =>
    run.emit(wait === null ? { type: 'run-go' } : { type: 'run-wait', wait })
  const { wait, continuedWave } = about
  const holds = new PersonHolds({ wait, continuedWave, write: (held) => writer.wait(held), changed })
  const emit = (event: FleetEvent<Result>) => {
    if (event.type === 'machine-end') writer.add(event.row)
    run.emit(event)
  }
  const write = async (held: FleetRunWait | null) => {
    changed(held)
    await writer.wait(held)
  }
  const signal = AbortSignal.any([run.signal, cancelling.signal])
  const { opened, site, check, done, again } = run
  const inRun = { ...site, client: clientOfRun(client, about.runId) }
  const { job, gate } = await createGate({ opened, site: inRun, title: about.title, again, write, window: plan.window })
  const leave = leaving.signal
  const queue =
    plan.queueMs === undefined
      ? undefined
      : new OfflineQueue({
          list: (listing) => client.machines.iter({ limit: 500, signal: listing }),
          until: Math.min(Date.parse(about.createdAt) + plan.queueMs, plan.notAfter),
        })
  const conclusion = await conduct({ ...plan, job, gate, holds, check, done, emit, signal, leave, queue })
  await writer.end(stateOf(conclusion.stop), conclusion.stop)
  // The last rows may be what it did not take.
  const unwritten: FleetStop | undefined = leave.aborted
    ? { reason: 'ledger', message: String(leave.reason) }
    : undefined
  // Somebody may have cancelled it while it stopped by itself.
  const stopped = cancelling.signal.aborted ? CANCELLED : conclusion.stop
  const { rows } = conclusion
  const stop = stopped ?? unwritten
  const durationMs = Math.round(performance.now() - began)
  return reportOf({ runId: about.runId, rows, stop, maxFailures: plan.limit.max, startedAt, durationMs })
}

function stateOf(stop: FleetStop | undefined): FleetRunEnd {
  if (stop === undefined) return 'ended'
  return stop.reason === 'cancelled' ? 'cancelled' : 'stopped'
}
