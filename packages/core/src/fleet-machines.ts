import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Repeatable } from './cancellable.ts'
import type { FleetPaths, InFleet } from './in-fleet.ts'
import type { MachineQuery } from './machines.ts'
import { cursorPages, itemsOf } from './pages.ts'
import type { MachineFleetLink, MachineList, MachineSummary } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { toQuery } from './wire-names.ts'

/** `client.fleets.machines`: the machines of a fleet, and how they come into it and go back. */
export class FleetMachinesNamespace {
  readonly #rest: RestClient
  readonly #paths: FleetPaths

  constructor(rest: RestClient, paths: FleetPaths) {
    this.#rest = rest
    this.#paths = paths
  }

  /** One page, in order of name. Pass `nextCursor` on as `cursor`. */
  async list({ signal, fleetId, ...given }: MachineQuery & InFleet = {}): Promise<MachineList> {
    const query = toQuery(wire.MachineListQuery, given)
    const path = await this.#paths.of({ fleetId }, '/machines')
    return this.#rest.call({ method: 'GET', path, query, answer: wire.MachineList, signal })
  }

  /** Every machine, page by page as they are needed. */
  iter(query: Omit<MachineQuery, 'cursor'> & InFleet = {}): AsyncGenerator<MachineSummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<MachineQuery, 'cursor'> & InFleet = {}): AsyncGenerator<MachineList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }

  /**
   * Moves a machine into a fleet, where you may manage machines there and where it is. What runs on it ends. Throws `conflict` when it
   * is there already, or its name is taken there.
   */
  async attach(
    machineId: string,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<MachineFleetLink> {
    const path = await this.#paths.of({ fleetId }, '/machines')
    const body = { machine_id: machineId }
    return this.#rest.call({ method: 'POST', path, body, answer: wire.MachineFleetLink, signal, idempotencyKey })
  }

  /** Moves it back to the fleet in which it enrolled: what runs on it ends. */
  async detach(machineId: string, { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {}): Promise<void> {
    const path = await this.#paths.of({ fleetId }, `/machines/${encodeURIComponent(machineId)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal, idempotencyKey })
  }
}
