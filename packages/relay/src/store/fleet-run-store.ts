import type { FleetRunKind, FleetRunState, FleetRunStop, OutcomeName } from '@cmdop/protocol'

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

/** How it ended on some machines, and how the run stands after that. */
export interface FleetRunProgress {
  readonly epoch: number
  readonly at: string
  readonly rows: readonly { readonly machineId: string; readonly outcome: OutcomeName; readonly row: string }[]
  readonly state: FleetRunState | undefined
  readonly stop: FleetRunStop | undefined
}

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
  /**
   * Whoever claims it is the one that writes from then on; it is `running` again, and nobody's wish to cancel it is left. With
   * `retry`, machines of these outcomes are not done any more, in a new generation. Gives the run; undefined: there is none.
   */
  claim(
    runId: string,
    claim: { at: string; retry: readonly OutcomeName[] | undefined },
  ): Promise<FleetRunRow | undefined>
  /**
   * Writes what is not written yet: an outcome that is there stays. Gives the run, or undefined when it was claimed by another one
   * since, or is not there; then nothing is written.
   */
  record(runId: string, progress: FleetRunProgress): Promise<FleetRunRow | undefined>
  /** Somebody wants it to be cancelled. */
  requestCancel(runId: string, at: string): Promise<void>
}
