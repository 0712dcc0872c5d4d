/** A policy as it is stored: of a fleet, or of one machine beside that of its fleet. */
export interface PolicyRow {
  readonly fleetId: string
  /** Null: of the fleet. */
  readonly machineId: string | null
  /** JSON, checked before it was stored. */
  readonly document: string
  /** Counts its changes, from 1. */
  readonly version: number
  readonly updatedAt: string
  readonly updatedById: string
}

/** The policies of all fleets. */
export interface PolicyStore {
  get(fleetId: string, machineId: string | null): Promise<PolicyRow | undefined>
  /** Replaces the one with the version before this one; version 1 adds it. False when it is another version by now. */
  put(row: PolicyRow): Promise<boolean>
}
