import type { FleetRunDetails, FleetRunTarget, MachineSummary } from '@cmdop/core'
import { type FleetReport, reportOf } from '../report/fleet-report.ts'
import { createFailureLimit } from '../waves/failure-limit.ts'
import { skipped } from '../run/fleet-row.ts'
import { RunPlan } from './run-plan.ts'
import { machineOf, rowOf } from './stored-rows.ts'

/** What reads runs: `client`. */
export interface LedgerSource {
  readonly machines: { iter(query: { limit: number; signal?: AbortSignal }): AsyncIterable<MachineSummary> }
  readonly fleetRuns: {
    get(runId: string, options?: { signal?: AbortSignal }): Promise<FleetRunDetails>
    targets(runId: string, options?: { signal?: AbortSignal }): AsyncIterable<FleetRunTarget>
  }
}

/** The report on a run, as its ledger has it; machines of which it has nothing yet are `unknown` in it. `maxFailures` is known to whose run it is; for others it is null. Throws `not_found`. */
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
    return rowOf<Result>(target, machine) ?? { ...skipped<Result>(machine, target.wave), outcome: 'unknown' as const }
  })
  const { plan, stop, createdAt: startedAt, updatedAt } = run
  const durationMs = Date.parse(updatedAt) - Date.parse(startedAt)
  return reportOf({
    runId,
    rows,
    stop: stop ?? undefined,
    maxFailures: plan === null ? Number.POSITIVE_INFINITY : limitOf(plan, rows.length),
    startedAt,
    durationMs,
  })
}

/** How many failures the plan allows; a playbook has a limit for each step, and none as a whole. */
function limitOf(plan: Record<string, unknown>, total: number): number {
  const { success, data } = RunPlan.shape.maxFailures.safeParse(plan['maxFailures'])
  return success ? createFailureLimit(total, data).max : Number.POSITIVE_INFINITY
}
