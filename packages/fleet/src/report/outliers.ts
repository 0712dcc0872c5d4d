import type { FleetRow } from '../run/fleet-row.ts'
import { rank, sortedDurations } from './durations.ts'
import { groupRows } from './group-rows.ts'

/** Machines that are unlike the others. */
export interface Outliers<Result> {
  /** Those that said or did otherwise than most did; none where there is no "most": more than half of those that were tried. */
  readonly byOutput: readonly FleetRow<Result>[]
  /** Those that took much longer than the others, the slowest first. */
  readonly byDuration: readonly FleetRow<Result>[]
}

/** Machines below which nobody is slow or quick beside the others. */
const FEWEST = 4

/** Milliseconds above the median that are no news. */
const SLOW_MS = 100

/**
 * Which machines a person looks at first. `same`: what is compared of a row. By duration: above the third quartile by more than one
 * and a half times the distance between the quartiles (Tukey's fence), more than twice the median, and 100 ms over it.
 */
export function outliersOf<Result>(
  rows: readonly FleetRow<Result>[],
  same: (row: FleetRow<Result>) => string,
): Outliers<Result> {
  const tried = rows.filter(({ durationMs }) => durationMs !== null)
  const [most] = groupRows(tried, same)
  const isMost = most !== undefined && most.rows.length * 2 > tried.length
  const usual = new Set(isMost ? most.rows : tried)
  return { byOutput: tried.filter((row) => !usual.has(row)), byDuration: slow(tried) }
}

function slow<Result>(rows: readonly FleetRow<Result>[]): FleetRow<Result>[] {
  const sorted = sortedDurations(rows)
  if (sorted.length < FEWEST) return []
  const [first, median, third] = [rank(sorted, 0.25), rank(sorted, 0.5), rank(sorted, 0.75)]
  const fence = Math.max(third + 1.5 * (third - first), 2 * median, median + SLOW_MS)
  return rows
    .filter(({ durationMs }) => (durationMs ?? 0) > fence)
    .sort((one, other) => (other.durationMs ?? 0) - (one.durationMs ?? 0))
}
