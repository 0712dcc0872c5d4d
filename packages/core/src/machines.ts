import * as wire from '@cmdop/protocol'
import { newCallId } from './answers.ts'
import { type AskOptions, AskStream } from './ask/ask-stream.ts'
import type { Cancellable } from './cancellable.ts'
import { cursorPages, itemsOf } from './pages.ts'
import type { ClearMessagesResponse, MachineList, MachineSpend, MachineSummary, MessagesResponse } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toQuery } from './wire-names.ts'

/** Which machines a list is of, and which page: see `MachineListQuery` of `@cmdop/protocol`. */
export type MachineQuery = Partial<FromWire<wire.MachineListQuery>>

/** `client.machines`: the machines of the key's fleet. */
export class MachinesNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, in order of name. Pass `nextCursor` on as `cursor`. */
  list({ signal, ...given }: MachineQuery & Cancellable = {}): Promise<MachineList> {
    const query = toQuery(wire.MachineListQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/machines', query, answer: wire.MachineList, signal })
  }

  /** One machine by id. Throws `not_found`. */
  get(machineId: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    return this.#rest.call({ method: 'GET', path: pathOf(machineId), answer: wire.MachineSummary, signal })
  }

  /** The one machine that a reference means: id, hostname, name or unique prefix. Throws `not_found` or `ambiguous`. */
  resolve(reference: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    const query = { ref: reference }
    return this.#rest.call({ method: 'GET', path: '/api/machines/resolve', query, answer: wire.MachineSummary, signal })
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
      answer: wire.MachinePingAnswer,
      signal,
    })
    return new Map(items.map(({ machineId, roundTripMs }) => [machineId, roundTripMs]))
  }

  /** Changes labels: what is not named stays, and null removes. Throws `not_found`, `validation`. */
  label(machineId: string, labels: wire.LabelChanges, { signal }: Cancellable = {}): Promise<MachineSummary> {
    const body = { labels }
    return this.#rest.call({ method: 'PATCH', path: pathOf(machineId), body, answer: wire.MachineSummary, signal })
  }

  /** Lets a machine run again whose key two daemons used at once. */
  release(machineId: string, { signal }: Cancellable = {}): Promise<MachineSummary> {
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(machineId)}/release`,
      answer: wire.MachineSummary,
      signal,
    })
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
    return this.#rest.call({ method: 'GET', path, query: { limit }, answer: wire.MessagesResponse, signal })
  }

  /** Forgets your latest conversation with the operator of a machine. */
  clearMessages(machineId: string, { signal }: Cancellable = {}): Promise<ClearMessagesResponse> {
    return this.#rest.call({
      method: 'DELETE',
      path: `${pathOf(machineId)}/messages`,
      answer: wire.ClearMessagesResponse,
      signal,
    })
  }

  /** Id of your latest conversation with the operator of a machine; empty when there is none. */
  async activeSession(machineId: string, { signal }: Cancellable = {}): Promise<string> {
    const path = `${pathOf(machineId)}/active_session`
    return (await this.#rest.call({ method: 'GET', path, answer: wire.ActiveSession, signal })).sessionId
  }

  /** What the asks of a machine cost, of everybody, in a window such as `7d` or `24h`. */
  spend(machineId: string, { window = '7d', signal }: Cancellable & { window?: string } = {}): Promise<MachineSpend> {
    const path = `${pathOf(machineId)}/spend`
    return this.#rest.call({ method: 'GET', path, query: { window }, answer: wire.MachineSpend, signal })
  }

  /** Every machine, page by page as they are needed. */
  iter(query: Omit<MachineQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineSummary> {
    return itemsOf(this.pages(query), ({ id }) => id)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<MachineQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }
}

function pathOf(machineId: string): string {
  return `/api/machines/${encodeURIComponent(machineId)}`
}
