/** One comparison: a line of a figure's table. */
export interface Row {
  readonly what: string
  readonly ours: string
  /** Empty where there is nothing to compare with. */
  readonly peer: string
  readonly ratio: string
  /** Empty for a line that is only stated. */
  readonly bound: string
  /** Undefined for a line that has no bound. */
  readonly met: boolean | undefined
}

/** Everything that was measured for a figure. */
export interface Measurement {
  readonly rows: readonly Row[]
  /** How it was measured, and what else is worth knowing: one sentence or list item each. */
  readonly notes: readonly string[]
  /** Debian packages that have to be installed to measure the rest. */
  readonly missing?: readonly string[]
}

/** A figure: what it is, and how it is measured. `measure` rejects when it cannot be. */
export interface Figure {
  /** Selects it on the command line. */
  readonly id: string
  readonly title: string
  measure(progress: (message: string) => void): Promise<Measurement>
}

/** A line that could not be measured; it counts as missed. */
export function notMeasured(what: string, bound: string, why: string): Row {
  return { what, ours: 'not measured', peer: why, ratio: '', bound, met: false }
}
