import { isFailure, type OutcomeName, outcomes } from '@cmdop/protocol'
import type { FleetStop } from '../run/conduct.ts'
import type { FleetRow } from '../run/fleet-row.ts'

/** Milliseconds: of machines on which it began. Null where it began on none. */
export interface Durations {
  readonly p50: number
  readonly p95: number
  readonly max: number
}

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
  readonly durations: Durations | null
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
  }
}

function durationsOf(rows: readonly FleetRow<unknown>[]): Durations | null {
  const sorted = rows.flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs])).sort((a, b) => a - b)
  // Nearest rank.
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
  return sorted.length === 0 ? null : { p50: at(0.5), p95: at(0.95), max: at(1) }
}
