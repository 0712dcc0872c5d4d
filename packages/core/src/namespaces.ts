import {
  type ApiKeyIssue,
  ApiKeyIssued,
  ApiKeyList,
  type ApiKeyListQuery,
  type ApiKeyRotate,
  type ApiKeySummary,
  type EnrollmentTokenIssue,
  EnrollmentTokenIssued,
  ActiveSession,
  ClearMessagesResponse,
  type LabelChanges,
  MachineList,
  type MachineListQuery,
  MachinePingAnswer,
  MachineSpend,
  MachineSummary,
  MessagesResponse,
} from '@cmdop/protocol'
import { z } from 'zod'
import { newCallId } from './answers.ts'
import { type AskOptions, AskStream } from './ask/ask-stream.ts'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal
}

/** `client.machines`: the machines of the key's fleet. */
export class MachinesNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, in order of name. Pass `next_cursor` on as `cursor`. */
  list(query: Partial<MachineListQuery> & Cancellable = {}): Promise<MachineList> {
    const { signal, ...rest } = query
    return this.#rest.call({ method: 'GET', path: '/api/machines', query: rest, answer: MachineList, signal })
  }

  /** One machine by id. Throws `not_found`. */
  get(machineId: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    return this.#rest.call({
      method: 'GET',
      path: pathOf(machineId),
      answer: MachineSummary,
      signal,
    })
  }

  /** The one machine that a reference means: id, hostname, name or unique prefix. Throws `not_found` or `ambiguous`. */
  resolve(reference: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    return this.#rest.call({
      method: 'GET',
      path: '/api/machines/resolve',
      query: { ref: reference },
      answer: MachineSummary,
      signal,
    })
  }

  /**
   * Asks machines for a sign of life now: milliseconds until the daemon of each has answered, by its id, and null for those that have
   * not within `timeoutMs` (default 5000, at most 30,000). Nothing is done on them. Up to 10,000 ids. Throws `validation`, `permission`.
   */
  async ping(
    machineIds: readonly string[],
    { timeoutMs, signal }: Cancellable & { timeoutMs?: number } = {},
  ): Promise<ReadonlyMap<string, number | null>> {
    const body = { machine_ids: machineIds, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) }
    const { items } = await this.#rest.call({
      method: 'POST',
      path: '/api/machines/ping',
      body,
      answer: MachinePingAnswer,
      signal,
    })
    return new Map(items.map(({ machine_id, round_trip_ms }) => [machine_id, round_trip_ms]))
  }

  /** Changes labels: what is not named stays, and null removes. Throws `not_found`, `validation`. */
  label(machineId: string, labels: LabelChanges, { signal }: Cancellable = {}): Promise<MachineSummary> {
    const body = { labels }
    return this.#rest.call({ method: 'PATCH', path: pathOf(machineId), body, answer: MachineSummary, signal })
  }

  /** Lets a machine run again whose key two daemons used at once. */
  release(machineId: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(machineId)}/release`, answer: MachineSummary, signal })
  }

  /**
   * Asks the AI operator that lives on a machine: it works there with the machine's own model, and may do what you may.
   * `machine`: id, hostname, name or unique prefix, or a handle.
   */
  ask(machine: string | { readonly id: string }, prompt: string, options: AskOptions = {}): AskStream {
    const { signal } = options
    const found = signal === undefined ? {} : { signal }
    const machineId = async () => (typeof machine === 'string' ? (await this.resolve(machine, found)).id : machine.id)
    return new AskStream({ rest: this.#rest, machineId, callId: newCallId(), prompt, options })
  }

  /** What you and the operator of a machine have said in your latest conversation, the oldest first. */
  messages(
    machineId: string,
    { limit = 50, signal }: Cancellable & { limit?: number } = {},
  ): Promise<MessagesResponse> {
    const path = `${pathOf(machineId)}/messages`
    return this.#rest.call({ method: 'GET', path, query: { limit }, answer: MessagesResponse, signal })
  }

  /** Forgets your latest conversation with the operator of a machine. */
  clearMessages(machineId: string, { signal }: Cancellable = {}): Promise<ClearMessagesResponse> {
    return this.#rest.call({
      method: 'DELETE',
      path: `${pathOf(machineId)}/messages`,
      answer: ClearMessagesResponse,
      signal,
    })
  }

  /** Id of your latest conversation with the operator of a machine; empty when there is none. */
  async activeSession(machineId: string, { signal }: Cancellable = {}): Promise<string> {
    const path = `${pathOf(machineId)}/active_session`
    return (await this.#rest.call({ method: 'GET', path, answer: ActiveSession, signal })).session_id
  }

  /** What the asks of a machine cost, of everybody, in a window such as `7d` or `24h`. */
  spend(machineId: string, { window = '7d', signal }: Cancellable & { window?: string } = {}): Promise<MachineSpend> {
    const path = `${pathOf(machineId)}/spend`
    return this.#rest.call({ method: 'GET', path, query: { window }, answer: MachineSpend, signal })
  }

  /** Every machine, page by page as they are needed. */
  async *iter(query: Omit<Partial<MachineListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineSummary> {
    for await (const page of this.pages(query)) yield* page.items
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  async *pages(query: Omit<Partial<MachineListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineList> {
    for (let cursor: string | undefined; ;) {
      const page = await this.list({ ...query, ...(cursor === undefined ? {} : { cursor }) })
      yield page
      if (page.next_cursor === null || page.next_cursor === cursor) return
      cursor = page.next_cursor
    }
  }
}

function pathOf(machineId: string): string {
  return `/api/machines/${encodeURIComponent(machineId)}`
}

/** `client.keys`: API keys of a fleet. */
export class KeysNamespace {
  readonly #rest: RestClient
  readonly #fleetId: () => Promise<string>

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#fleetId = fleetId
  }

  /** One page, newest first. */
  async list(query: Partial<ApiKeyListQuery> & Cancellable = {}): Promise<ApiKeyList> {
    const { signal, ...rest } = query
    return this.#rest.call({ method: 'GET', path: await this.#path(), query: rest, answer: ApiKeyList, signal })
  }

  /** Every key, page by page as they are needed. */
  async *iter(
    query: Pick<Partial<ApiKeyListQuery>, 'credential' | 'of'> & Cancellable = {},
  ): AsyncGenerator<ApiKeySummary> {
    for (let offset = 0; ;) {
      const page = await this.list({ ...query, offset })
      yield* page.items
      offset += page.items.length
      if (page.items.length === 0 || offset >= page.total) return
    }
  }

  /** A new key; `raw_token` is shown only here. */
  async issue(key: ApiKeyIssue, { signal }: Cancellable = {}): Promise<ApiKeyIssued> {
    return this.#rest.call({ method: 'POST', path: await this.#path(), body: key, answer: ApiKeyIssued, signal })
  }

  /** A new key in the place of another, with its limits; `raw_token` is shown only here. */
  async rotate(keyId: string, rotate: ApiKeyRotate = {}, { signal }: Cancellable = {}): Promise<ApiKeyIssued> {
    return this.#rest.call({
      method: 'POST',
      path: `${await this.#path()}/${encodeURIComponent(keyId)}/rotate`,
      body: rotate,
      answer: ApiKeyIssued,
      signal,
    })
  }

  /** Ends a key at once, with the connections that use it. */
  async revoke(keyId: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({
      method: 'DELETE',
      path: `${await this.#path()}/${encodeURIComponent(keyId)}`,
      answer: z.null(),
      signal,
    })
  }

  async #path(): Promise<string> {
    return `/api/fleets/${encodeURIComponent(await this.#fleetId())}/api-keys`
  }
}

/** `client.enrollmentTokens`: what a machine needs to join the fleet. */
export class EnrollmentTokensNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** A new token; `raw_token` is shown only here. */
  issue(token: EnrollmentTokenIssue = {}, { signal }: Cancellable = {}): Promise<EnrollmentTokenIssued> {
    return this.#rest.call({
      method: 'POST',
      path: '/api/enrollment-tokens',
      body: token,
      answer: EnrollmentTokenIssued,
      signal,
    })
  }
}
