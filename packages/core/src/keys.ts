import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Repeatable } from './cancellable.ts'
import { FleetPaths, type InFleet } from './in-fleet.ts'
import { itemsOf, offsetPages } from './pages.ts'
import type { ApiKeyIssued, ApiKeyList, ApiKeySummary } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'

/** Which keys a list is of, and which page: see `ApiKeyListQuery` of `@cmdop/protocol`. */
export type ApiKeyQuery = Partial<FromWire<wire.ApiKeyListQuery>>

/** `client.keys`: API keys of a fleet. */
export class KeysNamespace {
  readonly #rest: RestClient
  readonly #paths: FleetPaths

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#paths = new FleetPaths(fleetId)
  }

  /** One page, newest first. */
  async list({ signal, fleetId, ...given }: ApiKeyQuery & InFleet = {}): Promise<ApiKeyList> {
    const query = toQuery(wire.ApiKeyListQuery, given)
    return this.#rest.call({
      method: 'GET',
      path: await this.#path({ fleetId }),
      query,
      answer: wire.ApiKeyList,
      signal,
    })
  }

  /** Every key, page by page as they are needed. */
  iter(query: Omit<ApiKeyQuery, 'offset'> & InFleet = {}): AsyncGenerator<ApiKeySummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<ApiKeyQuery, 'offset'> & InFleet = {}): AsyncGenerator<ApiKeyList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** A new key; `rawToken` is shown only here. */
  async issue(
    key: FromWire<wire.ApiKeyIssue>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ApiKeyIssued> {
    const body = toWire(wire.ApiKeyIssue, key)
    return this.#rest.call({
      method: 'POST',
      path: await this.#path({ fleetId }),
      body,
      answer: wire.ApiKeyIssued,
      signal,
      idempotencyKey,
    })
  }

  /** A new key in the place of another, with its limits; `rawToken` is shown only here. */
  async rotate(
    keyId: string,
    rotate: FromWire<wire.ApiKeyRotate> = {},
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ApiKeyIssued> {
    const path = await this.#path({ fleetId }, `/${encodeURIComponent(keyId)}/rotate`)
    const body = toWire(wire.ApiKeyRotate, rotate)
    return this.#rest.call({ method: 'POST', path, body, answer: wire.ApiKeyIssued, signal, idempotencyKey })
  }

  /** Ends a key at once, with the connections that use it. */
  async revoke(keyId: string, { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {}): Promise<void> {
    const path = await this.#path({ fleetId }, `/${encodeURIComponent(keyId)}`)
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal, idempotencyKey })
  }

  #path(where: InFleet, rest = ''): Promise<string> {
    return this.#paths.of(where, `/api-keys${rest}`)
  }
}
