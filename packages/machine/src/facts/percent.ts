/** `part` of `whole` in percent, 0 to 100, with two decimals. */
export function percentOf(part: number, whole: number): number {
  return Math.min(100, Math.max(0, roundPercent((part / whole) * 100)))
}

/** A percentage with the two decimals that all facts have. */
export function roundPercent(percent: number): number {
  return Math.round(percent * 100) / 100
}
