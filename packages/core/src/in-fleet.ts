import type { Cancellable } from './cancellable.ts'

/** What every call in a fleet takes. Default of `fleetId`: that of the client (`CMDOP_FLEET_ID`), else the fleet of its key. */
export interface InFleet extends Cancellable {
  /** Id of another fleet in which you are a member. */
  readonly fleetId?: string | undefined
}

/** Where the relay has what is of a fleet: `/api/fleets/<id>` and the rest of the path. */
export class FleetPaths {
  readonly #fleetId: () => Promise<string>

  constructor(fleetId: () => Promise<string>) {
    this.#fleetId = fleetId
  }

  /** `rest`: such as `/members`. */
  async of({ fleetId }: InFleet, rest = ''): Promise<string> {
    return `/api/fleets/${encodeURIComponent(fleetId ?? (await this.#fleetId()))}${rest}`
  }
}
