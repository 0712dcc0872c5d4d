/** Milliseconds, of machines on which it began: the time within which so many percent of them ended. */
export interface Durations {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Percentiles by nearest rank; null where it began on no machine. */
export function durationsOf(rows: readonly { readonly durationMs: number | null }[]): Durations | null {
  const sorted = sortedDurations(rows)
  return sorted.length === 0
    ? null
    : { p50: rank(sorted, 0.5), p90: rank(sorted, 0.9), p99: rank(sorted, 0.99), max: rank(sorted, 1) }
}

export function sortedDurations(rows: readonly { readonly durationMs: number | null }[]): number[] {
  return rows.flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs])).sort((one, other) => one - other)
}

/** The least of these, in order, that a part of them does not exceed. */
export function rank(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
}
