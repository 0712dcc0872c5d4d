import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable, Repeatable } from './cancellable.ts'
import { itemsOf, offsetPages } from './pages.ts'
import type { ApiKeyIssued, ApiKeyList, ApiKeySummary } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'

/** Which keys a list is of, and which page: see `ApiKeyListQuery` of `@cmdop/protocol`. */
export type ApiKeyQuery = Partial<FromWire<wire.ApiKeyListQuery>>

/** `client.keys`: API keys of a fleet. */
export class KeysNamespace {
  readonly #rest: RestClient
  readonly #fleetId: () => Promise<string>

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#fleetId = fleetId
  }

  /** One page, newest first. */
  async list({ signal, ...given }: ApiKeyQuery & Cancellable = {}): Promise<ApiKeyList> {
    const query = toQuery(wire.ApiKeyListQuery, given)
    return this.#rest.call({ method: 'GET', path: await this.#path(), query, answer: wire.ApiKeyList, signal })
  }

  /** Every key, page by page as they are needed. */
  iter(query: Omit<ApiKeyQuery, 'offset'> & Cancellable = {}): AsyncGenerator<ApiKeySummary> {
    return itemsOf(this.pages(query), ({ id }) => id)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<ApiKeyQuery, 'offset'> & Cancellable = {}): AsyncGenerator<ApiKeyList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** A new key; `rawToken` is shown only here. */
  async issue(key: FromWire<wire.ApiKeyIssue>, { signal, idempotencyKey }: Repeatable = {}): Promise<ApiKeyIssued> {
    const body = toWire(wire.ApiKeyIssue, key)
    return this.#rest.call({
      method: 'POST',
      path: await this.#path(),
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
    { signal, idempotencyKey }: Repeatable = {},
  ): Promise<ApiKeyIssued> {
    const path = `${await this.#path()}/${encodeURIComponent(keyId)}/rotate`
    const body = toWire(wire.ApiKeyRotate, rotate)
    return this.#rest.call({ method: 'POST', path, body, answer: wire.ApiKeyIssued, signal, idempotencyKey })
  }

  /** Ends a key at once, with the connections that use it. */
  async revoke(keyId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<void> {
    const path = `${await this.#path()}/${encodeURIComponent(keyId)}`
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal, idempotencyKey })
  }

  async #path(): Promise<string> {
    return `/api/fleets/${encodeURIComponent(await this.#fleetId())}/api-keys`
  }
}
