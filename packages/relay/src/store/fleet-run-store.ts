import type { FleetRunKind, FleetRunState, FleetRunStop, FleetRunWait, OutcomeName } from '@cmdop/protocol'

/** A fleet run. */
export interface FleetRunRow {
  readonly id: string
  readonly fleetId: string
  readonly principalId: string
  readonly kind: FleetRunKind
  readonly title: string
  /** JSON. */
  readonly plan: string
  readonly planDigest: string
  readonly state: FleetRunState
  readonly stop: FleetRunStop | null
  /** What it waits for; with it the state is `paused`. */
  readonly wait: FleetRunWait | null
  /** The last wave after whose check a person has let it go on; 0: none. */
  readonly continuedWave: number
  readonly generation: number
  /** How often it was claimed: only the last one writes. */
  readonly epoch: number
  readonly cancelRequestedAt: string | null
  readonly createdAt: string
  readonly updatedAt: string
}

/** How it ended on one machine, in one generation. It is never changed. */
export interface FleetRunOutcomeRow {
  readonly runId: string
  readonly machineId: string
  readonly generation: number
  readonly at: string
  readonly outcome: OutcomeName
  /** JSON. */
  readonly row: string
}

/** One machine of it, as it stands in its generation. */
export interface FleetRunTargetRow {
  readonly runId: string
  readonly position: number
  readonly machineId: string
  readonly name: string
  readonly wave: number
  readonly generation: number
  /** Null: it is not done. */
  readonly outcome: OutcomeName | null
  /** JSON. */
  readonly row: string | null
}

/** Machines of each outcome; those that are not done have none. */
export type OutcomeCounts = Readonly<Partial<Record<OutcomeName, number>>>

/** What changes of a run. */
export type FleetRunChange = Partial<
  Pick<FleetRunRow, 'state' | 'stop' | 'wait' | 'continuedWave' | 'generation' | 'epoch' | 'cancelRequestedAt'>
>

/** Sees a run as it is, and says what changes. What it throws is thrown, and nothing changes. */
export type DecideFleetRun = (run: FleetRunRow) => FleetRunChange

/** How it ended on some machines, by who writes it. */
export interface FleetRunProgress {
  /** Where another one has claimed the run since, nothing is written. */
  readonly epoch: number
  readonly at: string
  readonly rows: readonly { readonly machineId: string; readonly outcome: OutcomeName; readonly row: string }[]
}

/** As much of a run as each of its calls is held to. */
export type FleetRunStanding = Pick<FleetRunRow, 'fleetId' | 'principalId' | 'state' | 'generation'>

/** The fleet runs of all fleets. */
export interface FleetRunStore {
  /** Adds a run with its machines, all or none. `conflict` when there is a run of that id. */
  create(run: FleetRunRow, targets: readonly FleetRunTargetRow[]): Promise<void>
  get(runId: string): Promise<FleetRunRow | undefined>
  /** Of one fleet, the newest first, then by id; `after` continues. */
  list(
    fleetId: string,
    page: { limit: number; after?: { readonly createdAt: string; readonly id: string }; state?: FleetRunState },
  ): Promise<FleetRunRow[]>
  counts(runId: string): Promise<OutcomeCounts & { readonly targets: number }>
  targets(runId: string, page: { from: number; limit: number }): Promise<FleetRunTargetRow[]>
  /** Whose it is, and how it stands. */
  standing(runId: string): Promise<FleetRunStanding | undefined>
  /** Compare and set. Gives the run afterwards; undefined: there is none. */
  change(runId: string, at: string, decide: DecideFleetRun): Promise<FleetRunRow | undefined>
  /** {@link change}; machines with these outcomes are not done any more, and are of the generation that the run has then. */
  claim(
    runId: string,
    claim: { at: string; again: readonly OutcomeName[] | undefined },
    decide: DecideFleetRun,
  ): Promise<FleetRunRow | undefined>
  /**
   * Writes what is not written yet: an outcome that is there stays. Gives the run, or undefined when it was claimed by another one
   * since, or is not there. `decide`: what else changes of it, as in {@link change}.
   */
  record(
    runId: string,
    progress: FleetRunProgress,
    decide: DecideFleetRun | undefined,
  ): Promise<FleetRunRow | undefined>
}
