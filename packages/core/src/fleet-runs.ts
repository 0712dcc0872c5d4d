import {
  FleetRunAppended,
  type FleetRunAppend,
  type FleetRunClaim,
  FleetRunClaimed,
  type FleetRunCreate,
  FleetRunList,
  type FleetRunListQuery,
  FleetRunSummary,
  type FleetRunTarget,
  FleetRunTargetList,
} from '@cmdop/protocol'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** `client.fleetRuns`: what ran, and runs, over many machines, and how it ended on each. */
export class FleetRunsNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `next_cursor` on as `cursor`. */
  list({ signal, ...query }: Partial<FleetRunListQuery> & Cancellable = {}): Promise<FleetRunList> {
    return this.#rest.call({ method: 'GET', path: '/api/fleet-runs', query, answer: FleetRunList, signal })
  }

  /** Every run, page by page as they are needed. */
  async *iter(query: Omit<Partial<FleetRunListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<FleetRunSummary> {
    for await (const page of this.pages(query)) yield* page.items
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  async *pages(query: Omit<Partial<FleetRunListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<FleetRunList> {
    for (let cursor: string | undefined; ;) {
      const page = await this.list({ ...query, ...(cursor === undefined ? {} : { cursor }) })
      yield page
      if (page.next_cursor === null || page.next_cursor === cursor) return
      cursor = page.next_cursor
    }
  }

  /** One run. Throws `not_found`. */
  get(runId: string, { signal }: Cancellable = {}): Promise<FleetRunSummary> {
    return this.#rest.call({ method: 'GET', path: pathOf(runId), answer: FleetRunSummary, signal })
  }

  /** Its machines, in order. Throws `not_found`. */
  async *targets(runId: string, { signal }: Cancellable = {}): AsyncGenerator<FleetRunTarget> {
    const path = `${pathOf(runId)}/targets`
    for (let cursor = 0; ;) {
      const page = await this.#rest.call({ method: 'GET', path, query: { cursor }, answer: FleetRunTargetList, signal })
      yield* page.items
      if (page.next_cursor === null || page.next_cursor <= cursor) return
      cursor = page.next_cursor
    }
  }

  /** Asks whoever carries it out to end it: no machine is begun any more, and what runs is ended. Throws `not_found`. */
  cancel(runId: string, { signal }: Cancellable = {}): Promise<FleetRunSummary> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(runId)}/cancel`, answer: FleetRunSummary, signal })
  }

  /** Begins a run. The same again changes nothing. Throws `conflict` when the id is taken. */
  create(run: FleetRunCreate, { signal }: Cancellable = {}): Promise<FleetRunClaimed> {
    return this.#rest.call({ method: 'POST', path: '/api/fleet-runs', body: run, answer: FleetRunClaimed, signal })
  }

  /** Goes on with a run: whoever wrote to it before writes no more. Throws `not_found`, `permission`. */
  claim(runId: string, body: FleetRunClaim = {}, { signal }: Cancellable = {}): Promise<FleetRunClaimed> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(runId)}/claim`, body, answer: FleetRunClaimed, signal })
  }

  /** Writes how it ended on machines; what is written stays. Throws `conflict` when another script goes on with the run. */
  record(runId: string, body: FleetRunAppend, { signal }: Cancellable = {}): Promise<FleetRunAppended> {
    return this.#rest.call({ method: 'POST', path: `${pathOf(runId)}/rows`, body, answer: FleetRunAppended, signal })
  }
}

function pathOf(runId: string): string {
  return `/api/fleet-runs/${encodeURIComponent(runId)}`
}
