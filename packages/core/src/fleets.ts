import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable, Repeatable } from './cancellable.ts'
import { FleetMachinesNamespace } from './fleet-machines.ts'
import { FleetPaths } from './in-fleet.ts'
import type { MembersNamespace } from './members.ts'
import { itemsOf, offsetPages } from './pages.ts'
import type { FleetList, FleetSummary } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'

/** Which page of fleets: see `OffsetQuery` of `@cmdop/protocol`. */
type FleetQuery = Partial<FromWire<wire.OffsetQuery>>

/** `client.fleets`: the fleets of which you are a member, their people and their machines. */
export class FleetsNamespace {
  /** The people of a fleet: the same as `client.members`. */
  readonly members: MembersNamespace
  readonly machines: FleetMachinesNamespace
  readonly #rest: RestClient
  readonly #paths: FleetPaths

  constructor(rest: RestClient, { fleetId, members }: { fleetId: () => Promise<string>; members: MembersNamespace }) {
    this.#rest = rest
    this.#paths = new FleetPaths(fleetId)
    this.members = members
    this.machines = new FleetMachinesNamespace(rest, this.#paths)
  }

  /** One page, the oldest first. */
  list({ signal, ...given }: FleetQuery & Cancellable = {}): Promise<FleetList> {
    const query = toQuery(wire.OffsetQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/fleets', query, answer: wire.FleetList, signal })
  }

  /** Every fleet, page by page as they are needed. */
  iter(query: Omit<FleetQuery, 'offset'> & Cancellable = {}): AsyncGenerator<FleetSummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<FleetQuery, 'offset'> & Cancellable = {}): AsyncGenerator<FleetList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** One fleet; without an id that of the client, or of its key. Throws `not_found`. */
  async get(fleetId?: string, { signal }: Cancellable = {}): Promise<FleetSummary> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#paths.of({ fleetId }),
      answer: wire.FleetSummary,
      signal,
    })
  }

  /** Makes a fleet, which is yours. Only a person does. Throws `conflict` for a slug that is taken. */
  create(fleet: FromWire<wire.FleetCreate>, { signal, idempotencyKey }: Repeatable = {}): Promise<FleetSummary> {
    const body = toWire(wire.FleetCreate, fleet)
    return this.#rest.call({
      method: 'POST',
      path: '/api/fleets',
      body,
      answer: wire.FleetSummary,
      signal,
      idempotencyKey,
    })
  }

  /** Changes name or `mfaRequired`; what is not named stays. */
  async update(
    fleetId: string,
    change: FromWire<wire.FleetChange>,
    { signal, idempotencyKey }: Repeatable = {},
  ): Promise<FleetSummary> {
    const body = toWire(wire.FleetChange, change)
    const path = await this.#paths.of({ fleetId })
    return this.#rest.call({ method: 'PATCH', path, body, answer: wire.FleetSummary, signal, idempotencyKey })
  }

  /** Ends a fleet: its keys, sessions and machines, at once. Only an owner does. Throws `conflict` for that of the relay’s owner. */
  async disable(fleetId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<void> {
    await this.#rest.call({
      method: 'DELETE',
      path: await this.#paths.of({ fleetId }),
      answer: z.null(),
      signal,
      idempotencyKey,
    })
  }
}
