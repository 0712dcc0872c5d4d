import type { FleetMachine } from '../../run/fleet-row.ts'
import type { PlaybookClient } from '../playbook-client.ts'
import type { PlaybookEvent } from '../playbook-report.ts'
import type { Step } from '../steps/step.ts'
import type { StepValues } from '../steps/values.ts'
import type { StepRecords } from './step-records.ts'

/** What the steps of one playbook work with. */
export interface Scene {
  readonly client: PlaybookClient
  /** Of the playbook. */
  readonly name: string
  readonly records: StepRecords
  readonly values: StepValues
  readonly emit: (event: PlaybookEvent) => void
}

/** Where and when one step works. */
export interface StepSite {
  /** Under which it is written down. */
  readonly part: string
  readonly machines: readonly FleetMachine[]
  /** Cancels: what runs is ended. */
  readonly signal: AbortSignal
  /** What comes after it, for people who have to approve. */
  readonly next: readonly Step[]
  /** Nothing begins any more: what was done is read. */
  readonly isOver: boolean
}
