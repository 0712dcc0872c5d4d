import type { EffectList } from '@cmdop/protocol'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { StepKind } from '../steps/step.ts'

/**
 * What a dry run knows of a step on a machine. `verified`: it was done in a view of the machine, after the steps before it, and ended well
 * there. `failed`: it was done there, and did not. `asked`: people will be asked; nobody was. `unknown`: it was not done, or what it
 * would come to is not known before. `unsupported`: the machine was not there, or can hold no dry run; nothing was done.
 */
export type DryGrade = 'verified' | 'failed' | 'asked' | 'unknown' | 'unsupported'

/** A step on one machine. */
export interface DryRow {
  readonly machine: FleetMachine
  readonly grade: DryGrade
  /** What would be run, asked or copied there; null where that is not known. */
  readonly does: string | readonly string[] | null
  /** What it gave in the view; null where it was not done. */
  readonly result: unknown
  /** Why it is not `verified`. */
  readonly why: string | null
}

export interface DryStep {
  readonly step: string
  readonly kind: StepKind
  readonly rows: readonly DryRow[]
}

/** What all steps together would change on these machines, which is the same on each. */
export interface DryEffect {
  readonly machines: readonly FleetMachine[]
  /** Null where it could not be found out. */
  readonly effect: EffectList | null
  readonly why: string | null
}

/** What a playbook would do. None of it has reached any machine. */
export interface PlaybookDryRun {
  readonly playbook: string
  /** In order; those of a parallel step, too, one after the other. */
  readonly steps: readonly DryStep[]
  /** The most frequent first. */
  readonly effects: readonly DryEffect[]
  /** Every step is `verified` or `asked` on every machine. */
  readonly isKnown: boolean
}
