/** The usual points of a distribution, in the unit of its values. */
export interface Distribution {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

/** Sums up values; the nearest rank, so that every point is a value that was measured. */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}

/** The middle value. */
export function medianOf(values: readonly number[]): number {
  return distributionOf(values).p50
}

/** Milliseconds that `action` takes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await action()
  return performance.now() - started
}

/** `3.21 ms` */
export function inMilliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}

/** `12.3 kB`, of 1000 bytes. */
export function inKilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}

/** `12.3 MB`, of 1000 kB. */
export function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** `3.4 ×` */
export function asRatio(value: number): string {
  return `${value.toFixed(2)} ×`
}
