/** A machine that another fleet than its own uses, too. */
export interface MachineLinkRow {
  readonly machineId: string
  /** Which uses it; never the one that it enrolled in. */
  readonly fleetId: string
  readonly joinedAt: string
  /** The member of that fleet who attached it. */
  readonly addedById: string
}

/** The machines that several fleets use. The fleet that a machine enrolled in, its home, is in its own row. */
export interface MachineLinkStore {
  /** Adds a link. `conflict` when there is one, or a machine of the fleet has the name. */
  attach(link: MachineLinkRow): Promise<void>
  /** True when this call removed it. */
  detach(machineId: string, fleetId: string): Promise<boolean>
  /** How many machines a fleet uses. */
  count(fleetId: string): Promise<number>
  get(machineId: string, fleetId: string): Promise<MachineLinkRow | undefined>
  /** Of these machines, the oldest first, then by fleet. */
  of(machineIds: readonly string[]): Promise<MachineLinkRow[]>
}
