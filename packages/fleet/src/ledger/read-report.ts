import type { FleetRunSummary, FleetRunTarget, MachineSummary } from '@cmdop/protocol'
import { type FleetReport, reportOf } from '../report/fleet-report.ts'
import { skipped } from '../run/fleet-row.ts'
import { machineOf, rowOf } from './stored-rows.ts'

/** What reads runs: `client`. */
export interface LedgerSource {
  readonly machines: { iter(query: { limit: number; signal?: AbortSignal }): AsyncIterable<MachineSummary> }
  readonly fleetRuns: {
    get(runId: string, options?: { signal?: AbortSignal }): Promise<FleetRunSummary>
    targets(runId: string, options?: { signal?: AbortSignal }): AsyncIterable<FleetRunTarget>
  }
}

/** The report on a run, as its ledger has it; machines that are not done are `skipped` in it. Throws `not_found`. */
export async function readReport<Result>(
  { machines, fleetRuns }: LedgerSource,
  runId: string,
  options: { signal?: AbortSignal } = {},
): Promise<FleetReport<Result>> {
  const run = await fleetRuns.get(runId, options)
  const known = new Map<string, MachineSummary>()
  for await (const machine of machines.iter({ limit: 500, ...options })) known.set(machine.id, machine)
  const rows = (await Array.fromAsync(fleetRuns.targets(runId, options))).map((target) => {
    const machine = machineOf(target, known)
    return rowOf<Result>(target, machine) ?? skipped<Result>(machine, target.wave)
  })
  const { stop, createdAt: startedAt, updatedAt } = run
  const durationMs = Date.parse(updatedAt) - Date.parse(startedAt)
  return reportOf({
    runId,
    rows,
    stop: stop ?? undefined,
    maxFailures: Number.POSITIVE_INFINITY,
    startedAt,
    durationMs,
  })
}
