import { isFailure, type OutcomeName, outcomes } from '@cmdop/protocol'
import type { FleetStop } from '../run/conduct.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import { type Durations, durationsOf } from './durations.ts'

/** What a fleet run came to. */
export interface FleetReport<Result> {
  readonly runId: string
  /** Every machine that was meant, in the order of the waves. */
  readonly rows: readonly FleetRow<Result>[]
  /** Machines of each outcome; all ten are there. */
  readonly counts: Readonly<Record<OutcomeName, number>>
  /** Machines whose outcome counts as a failure. */
  readonly failures: number
  /** Failures with which the run went on; null: any number. */
  readonly maxFailures: number | null
  /** Every machine is `ok`. */
  readonly ok: boolean
  /** Why it stopped before its end; null: it did not. */
  readonly stop: FleetStop | null
  readonly startedAt: string
  /** Milliseconds of the whole run. */
  readonly durationMs: number
  /** Null where it began on no machine. */
  readonly durations: Durations | null
  /** US dollars that models cost, as far as their prices are known; null: no result has a cost. */
  readonly cost: number | null
}

/** The report on rows. */
export function reportOf<Result>(run: {
  readonly runId: string
  readonly rows: readonly FleetRow<Result>[]
  readonly stop: FleetStop | undefined
  readonly maxFailures: number
  readonly startedAt: string
  readonly durationMs: number
}): FleetReport<Result> {
  const { rows, stop = null, maxFailures } = run
  const counts = Object.fromEntries(Object.keys(outcomes).map((name) => [name, 0])) as Record<OutcomeName, number>
  for (const { outcome } of rows) counts[outcome] += 1
  return {
    ...run,
    counts,
    failures: rows.filter(({ outcome }) => isFailure(outcome)).length,
    maxFailures: Number.isFinite(maxFailures) ? maxFailures : null,
    ok: rows.every(({ outcome }) => outcome === 'ok'),
    stop,
    durations: durationsOf(rows),
    cost: costOf(rows),
  }
}

/** The sum of `cost` of the results that have one, as those of `agent.run` do. */
function costOf(rows: readonly FleetRow<unknown>[]): number | null {
  const costs = rows.flatMap(({ result }) => {
    const cost: unknown = typeof result === 'object' && result !== null && 'cost' in result ? result.cost : null
    return typeof cost === 'number' ? [cost] : []
  })
  return costs.length === 0 ? null : costs.reduce((sum, cost) => sum + cost, 0)
}
