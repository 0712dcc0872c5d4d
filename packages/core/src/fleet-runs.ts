import * as wire from '@cmdop/protocol'
import type { Cancellable } from './cancellable.ts'
import type {
  FleetApprovalAsked,
  FleetRunAppended,
  FleetRunClaimed,
  FleetRunCreated,
  FleetRunDetails,
  FleetRunList,
  FleetRunSummary,
  FleetRunTarget,
} from './resources.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'
import { countedPages, cursorPages, itemsOf, rowsOf } from './pages.ts'
import type { RestClient } from './rest-client.ts'

/** Milliseconds in which all machines of a question say what they would do, beside `timeoutMs`. */
const DESCRIBE_MS = 120_000

/** `client.fleetRuns`: what ran, and runs, over many machines, and how it ended on each. */
export class FleetRunsNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `nextCursor` on as `cursor`. */
  list({ signal, ...given }: Partial<FromWire<wire.FleetRunListQuery>> & Cancellable = {}): Promise<FleetRunList> {
    const query = toQuery(wire.FleetRunListQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/fleet-runs', query, answer: wire.FleetRunList, signal })
  }

  /** Every run, page by page as they are needed. */
  iter(
    query: Omit<Partial<FromWire<wire.FleetRunListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<FleetRunSummary> {
    return itemsOf(this.pages(query), ({ runId }) => runId, query)
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  pages(
    query: Omit<Partial<FromWire<wire.FleetRunListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<FleetRunList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }

  /** One run; with its plan if it is yours. Throws `not_found`. */
  get(runId: string, { signal }: Cancellable = {}): Promise<FleetRunDetails> {
    return this.#rest.call({ method: 'GET', path: pathOf(runId), answer: wire.FleetRunDetails, signal })
  }

  /** Its machines, in order. Throws `not_found`. */
  targets(runId: string, { signal }: Cancellable = {}): AsyncGenerator<FleetRunTarget> {
    const call = { method: 'GET', path: `${pathOf(runId)}/targets`, answer: wire.FleetRunTargetList, signal } as const
    return rowsOf(
      countedPages((cursor) => this.#rest.call({ ...call, query: { cursor } })),
      { signal },
    )
  }

  /** Asks whoever carries it out to end it: no machine is begun any more, and what runs is ended. Throws `not_found`. */
  cancel(runId: string, { signal }: Cancellable = {}): Promise<FleetRunSummary> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(runId)}/cancel`, answer: wire.FleetRunSummary, signal })
  }

  /** It begins no machine until a person continues it; its script sees that within seconds. Throws `not_found`, `conflict`. */
  pause(runId: string, body: wire.FleetRunPause = {}, { signal }: Cancellable = {}): Promise<FleetRunSummary> {
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(runId)}/pause`,
      body,
      answer: wire.FleetRunSummary,
      signal,
    })
  }

  /** Lets it go on that waits for a person, who alone can do that. Throws `not_found`, `conflict` where it does not wait for one. */
  proceed(runId: string, { signal }: Cancellable = {}): Promise<FleetRunSummary> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(runId)}/continue`, answer: wire.FleetRunSummary, signal })
  }

  /**
   * Asks people about what one of your runs is to do on some of its machines; its calls then name the approval. What they have
   * approved of this run, and its digest is the same, is not asked again. Throws `not_found`, `permission`, `cancelled`.
   */
  askApproval(
    runId: string,
    asked: FromWire<wire.FleetApprovalRequest>,
    { signal }: Cancellable = {},
  ): Promise<FleetApprovalAsked> {
    const path = `${pathOf(runId)}/approvals`
    const body = toWire(wire.FleetApprovalRequest, asked)
    // Each of its machines is asked what it would do.
    return this.#rest.call({
      method: 'POST',
      path,
      body,
      answer: wire.FleetApprovalAsked,
      signal,
      waitsMs: DESCRIBE_MS,
    })
  }

  /** Begins a run. The same again changes nothing. Throws `conflict` when the id is taken, or the run is over. */
  create(run: wire.FleetRunCreate, { signal }: Cancellable = {}): Promise<FleetRunCreated> {
    return this.#rest.call({ method: 'POST', path: '/api/fleet-runs', body: run, answer: wire.FleetRunCreated, signal })
  }

  /** Goes on with a run: whoever wrote to it before writes no more. Throws `not_found`, `permission`. */
  claim(runId: string, body: wire.FleetRunClaim = {}, { signal }: Cancellable = {}): Promise<FleetRunClaimed> {
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(runId)}/claim`,
      body,
      answer: wire.FleetRunClaimed,
      signal,
    })
  }

  /** Writes how it ended on machines; what is written stays. Throws `conflict` when another script goes on with the run. */
  record(runId: string, body: wire.FleetRunAppend, { signal }: Cancellable = {}): Promise<FleetRunAppended> {
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(runId)}/rows`,
      body,
      answer: wire.FleetRunAppended,
      signal,
    })
  }
}

function pathOf(runId: string): string {
  return `/api/fleet-runs/${encodeURIComponent(runId)}`
}
