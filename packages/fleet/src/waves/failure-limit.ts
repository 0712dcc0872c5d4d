import { isFailure, type OutcomeName } from '@cmdop/protocol'
import { countOf } from './wave-sizes.ts'

/** Failures that a run goes on with: so many machines, or a part of all targets: `5%`. */
export type MaxFailures = number | `${number}%`

/** How often a run may fail, and whether it has. */
export interface FailureLimit {
  /** Failures with which the run goes on. Infinity: it never stops for them. */
  readonly max: number
  readonly failures: number
  /** There are more failures than `max`. */
  readonly exceeded: boolean
  /** Counts how it ended on one machine. */
  count(outcome: OutcomeName): void
}

/**
 * The run stops when its failures are **more than** `maxFailures`. A percentage is of all targets of the run, rounded down:
 * 5% of 50 is 2, and the third failure stops it. Every outcome counts that is not a success, but those of machines that
 * were not tried. Throws `validation`.
 */
export function createFailureLimit(total: number, maxFailures: MaxFailures | undefined): FailureLimit {
  const max = maxFailures === undefined ? Number.POSITIVE_INFINITY : countOf(maxFailures, total, 'maxFailures')
  let failures = 0
  return {
    max,
    get failures() {
      return failures
    },
    get exceeded() {
      return failures > max
    },
    count: (outcome) => {
      if (isFailure(outcome)) failures += 1
    },
  }
}
