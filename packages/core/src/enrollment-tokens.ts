import * as wire from '@cmdop/protocol'
import type { Cancellable } from './cancellable.ts'
import type { EnrollmentTokenIssued } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toWire } from './wire-names.ts'

/** `client.enrollmentTokens`: what a machine needs to join the fleet. */
export class EnrollmentTokensNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** A new token; `rawToken` is shown only here. */
  issue(token: FromWire<wire.EnrollmentTokenIssue> = {}, { signal }: Cancellable = {}): Promise<EnrollmentTokenIssued> {
    const path = '/api/enrollment-tokens'
    const body = toWire(wire.EnrollmentTokenIssue, token)
    return this.#rest.call({ method: 'POST', path, body, answer: wire.EnrollmentTokenIssued, signal })
  }
}
