import * as wire from '@cmdop/protocol'
import type { Cancellable } from './cancellable.ts'
import type { PolicyDocument, PolicyTestAnswer } from './resources.ts'
import { type FromWire, toWire } from './wire-names.ts'
import type { RestClient } from './rest-client.ts'

/** `client.policy`: which calls are allowed, asked about and denied. */
export class PolicyNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** The policy of the fleet, or of a machine beside it. */
  get({ machineId, signal }: Cancellable & { machineId?: string } = {}): Promise<PolicyDocument> {
    const query = { machine_id: machineId }
    return this.#rest.call({ method: 'GET', path: '/api/policy', query, answer: wire.PolicyDocument, signal })
  }

  /** Replaces it. `version`: of the one that it replaces. Throws `validation` with the rule and its example, `conflict`. */
  set(
    policy: FromWire<wire.PolicyWrite>,
    { machineId, signal }: Cancellable & { machineId?: string } = {},
  ): Promise<PolicyDocument> {
    const query = { machine_id: machineId }
    const body = toWire(wire.PolicyWrite, policy)
    return this.#rest.call({ method: 'PUT', path: '/api/policy', query, body, answer: wire.PolicyDocument, signal })
  }

  /** What would be decided about these calls, by which rule, and what would permit them; nothing runs. */
  async simulate(
    calls: readonly (string | readonly string[] | FromWire<wire.PolicyTest>['calls'][number])[],
    { signal, ...options }: Cancellable & Omit<FromWire<wire.PolicyTest>, 'calls'> = {},
  ): Promise<PolicyTestAnswer['items']> {
    const body = toWire(wire.PolicyTest, { ...options, calls: calls.map(callOf) })
    const path = '/api/policy/test'
    return (await this.#rest.call({ method: 'POST', path, body, answer: wire.PolicyTestAnswer, signal })).items
  }
}

function callOf(
  given: string | readonly string[] | FromWire<wire.PolicyTest>['calls'][number],
): FromWire<wire.PolicyTest>['calls'][number] {
  if (typeof given === 'string') return { command: given }
  return isArgv(given) ? { command: [...given] } : given
}

function isArgv(given: readonly string[] | FromWire<wire.PolicyTest>['calls'][number]): given is readonly string[] {
  return Array.isArray(given)
}
