import type { FleetEvent } from '../run/conduct.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import type { StepKind } from './steps/step.ts'

/**
 * How a step ended. `failed`: on more machines than it may. `denied`: people, rights or a policy refused it. `unknown`: on some machine
 * nobody knows whether it ran, or how it ended. `skipped`: the playbook did not come to it.
 */
export type StepOutcome = 'ok' | 'failed' | 'denied' | 'cancelled' | 'unknown' | 'skipped'

export interface StepReport {
  readonly step: string
  readonly kind: StepKind
  readonly outcome: StepOutcome
  /** Why it is not `ok`; null where it is, and where it is `skipped`. */
  readonly message: string | null
  /** The fleet run that it was: `cmdop fleet report` has all of it. Null where it was none. */
  readonly runId: string | null
  /** How it ended on each machine. */
  readonly rows: readonly FleetRow<unknown>[]
  /** Of a parallel step, its own. */
  readonly steps: readonly StepReport[]
}

/** What a playbook came to. */
export interface PlaybookReport {
  readonly runId: string
  readonly playbook: string
  /** `ok`: every step is. Else how the step ended that ended the playbook. */
  readonly outcome: Exclude<StepOutcome, 'skipped'>
  /** Why it is not `ok`, for people. */
  readonly message: string | null
  readonly steps: readonly StepReport[]
  /** What was undone, in that order; empty where nothing was. */
  readonly rollbacks: readonly StepReport[]
  readonly startedAt: string
  /** Milliseconds that this script worked on it. */
  readonly durationMs: number
}

/** What happens, as it happens. */
export type PlaybookEvent =
  | { readonly type: 'step-start'; readonly step: string; readonly kind: StepKind }
  | {
      readonly type: 'step-event'
      readonly step: string
      /** The fleet run that the step is. */
      readonly runId: string
      readonly event: FleetEvent<unknown>
    }
  | { readonly type: 'step-end'; readonly report: StepReport }
  /** What is done from here on undoes finished steps. */
  | { readonly type: 'rollback'; readonly because: string }
