import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import { newCallId } from './answers.ts'
import { type AskOptions, AskStream } from './ask/ask-stream.ts'
import type { Cancellable, Repeatable } from './cancellable.ts'
import { cursorPages, itemsOf } from './pages.ts'
import type {
  ClearMessagesResponse,
  MachineDetail,
  MachineEvent,
  MachineInfoResponse,
  MachineList,
  MachineSpend,
  MachineSummary,
  MessagesResponse,
} from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { watchEvents } from './watch-events.ts'
import { type FromWire, fromWire, toQuery, toWire } from './wire-names.ts'

/** Which machines a list is of, and which page: see `MachineListQuery` of `@cmdop/protocol`. */
export type MachineQuery = Omit<Partial<FromWire<wire.MachineListQuery>>, 'disabled'> & {
  /** Those that are disabled, and no others. Default: those that are not. */
  readonly disabled?: boolean | undefined
}

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

  /** All that the relay knows of a machine, disabled or not, by its id. Throws `not_found`. */
  get(machineId: string, { signal }: Cancellable = {}): Promise<MachineDetail> {
    return this.#rest.call({ method: 'GET', path: pathOf(machineId), answer: wire.MachineDetail, signal })
  }

  /** Gives a machine another name, or changes its labels; what is not named stays. Throws `conflict` for a name that is taken. */
  update(
    machineId: string,
    change: FromWire<wire.MachineUpdate>,
    { signal, idempotencyKey }: Repeatable = {},
  ): Promise<MachineSummary> {
    const body = toWire(wire.MachineUpdate, change)
    return this.#rest.call({
      method: 'PATCH',
      path: pathOf(machineId),
      body,
      answer: wire.MachineSummary,
      signal,
      idempotencyKey,
    })
  }

  /** Ends what runs on a machine, and its connection, and lets it connect no more. Idempotent. */
  async disable(machineId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<void> {
    await this.#rest.call({ method: 'DELETE', path: pathOf(machineId), answer: z.null(), signal, idempotencyKey })
  }

  /** Lets a machine connect again that was disabled. Idempotent. */
  enable(machineId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<MachineSummary> {
    const path = `${pathOf(machineId)}/enable`
    return this.#rest.call({ method: 'POST', path, answer: wire.MachineSummary, signal, idempotencyKey })
  }

  /** A machine, measured now where it is online; else what was measured last, and `liveState.stale`. */
  info(machineId: string, { signal }: Cancellable = {}): Promise<MachineInfoResponse> {
    const path = `${adminPathOf(machineId)}/info`
    return this.#rest.call({ method: 'GET', path, answer: wire.MachineInfoResponse, signal })
  }

  /** The labels of a machine, changed first where changes are given: what is not named stays, and null removes. */
  async labels(
    machineId: string,
    changes?: wire.LabelChanges,
    options: Repeatable = {},
  ): Promise<MachineSummary['labels']> {
    const machine = changes === undefined ? this.get(machineId, options) : this.label(machineId, changes, options)
    return (await machine).labels
  }

  /**
   * What becomes of machines, as it happens: first snapshots of all, then each change once and in order, or, with `lastEventId`,
   * what came after that event. A lost connection is taken up where it broke off; it ends when `signal` aborts, with `cancelled`.
   * Throws what the first connection fails with, and what another try does not help against.
   */
  async *watch({ lastEventId, signal }: Cancellable & { lastEventId?: string } = {}): AsyncGenerator<
    MachineEvent & { id: string }
  > {
    const events = watchEvents(this.#rest, { path: '/api/machines/events', lastEventId, signal })
    for await (const { id, data } of events) {
      const event = wire.MachineEvent.safeParse(data)
      // A change that a newer relay knows is not one that somebody here waits for.
      if (event.success) yield { id, ...fromWire(wire.MachineEvent, event.data) }
    }
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
  label(
    machineId: string,
    labels: wire.LabelChanges,
    { signal, idempotencyKey }: Repeatable = {},
  ): Promise<MachineSummary> {
    const body = { labels }
    return this.#rest.call({
      method: 'PATCH',
      path: pathOf(machineId),
      body,
      answer: wire.MachineSummary,
      signal,
      idempotencyKey,
    })
  }

  /** Lets a machine run again whose key two daemons used at once. */
  release(machineId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<MachineSummary> {
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(machineId)}/release`,
      answer: wire.MachineSummary,
      signal,
      idempotencyKey,
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
    const path = `${adminPathOf(machineId)}/messages`
    return this.#rest.call({ method: 'GET', path, query: { limit }, answer: wire.MessagesResponse, signal })
  }

  /** Forgets your latest conversation with the operator of a machine. */
  clearMessages(machineId: string, { signal }: Cancellable = {}): Promise<ClearMessagesResponse> {
    return this.#rest.call({
      method: 'DELETE',
      path: `${adminPathOf(machineId)}/messages`,
      answer: wire.ClearMessagesResponse,
      signal,
    })
  }

  /** Id of your latest conversation with the operator of a machine; empty when there is none. */
  async activeSession(machineId: string, { signal }: Cancellable = {}): Promise<string> {
    const path = `${adminPathOf(machineId)}/active_session`
    return (await this.#rest.call({ method: 'GET', path, answer: wire.ActiveSession, signal })).sessionId
  }

  /** What the asks of a machine cost, of everybody, in a window such as `7d` or `24h`. */
  spend(machineId: string, { window = '7d', signal }: Cancellable & { window?: string } = {}): Promise<MachineSpend> {
    const path = `${adminPathOf(machineId)}/spend`
    return this.#rest.call({ method: 'GET', path, query: { window }, answer: wire.MachineSpend, signal })
  }

  /** Every machine, page by page as they are needed. */
  iter(query: Omit<MachineQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineSummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<MachineQuery, 'cursor'> & Cancellable = {}): AsyncGenerator<MachineList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }
}

function pathOf(machineId: string): string {
  return `/api/machines/${encodeURIComponent(machineId)}`
}

/** Where the wire has what is of the operator and of the daemon. */
function adminPathOf(machineId: string): string {
  return `/api/admin/machines/${encodeURIComponent(machineId)}`
}
