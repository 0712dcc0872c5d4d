import * as wire from '@cmdop/protocol'
import type { Cancellable } from './cancellable.ts'
import type { RunList, RunSummary } from './resources.ts'
import { type FromWire, toQuery } from './wire-names.ts'
import { countedPages, cursorPages, itemsOf, rowsOf } from './pages.ts'
import type { RestClient } from './rest-client.ts'

/** An entry of a run's journal as the relay has it. */
export interface StoredRunEntry {
  /** When it became durable, by the relay's clock. */
  readonly at: string
  readonly entry: wire.RunEntry
}

/** Where operators' runs are written down. */
export interface RunJournals {
  /** Begins a run, with its first entry. The same again changes nothing. Throws `conflict` when the id is taken. */
  create(run: wire.RunCreate, options?: Cancellable): Promise<void>
  /**
   * Adds entries from `index` on; resolves when they are durable. The same again changes nothing. Throws `conflict` when
   * somebody else has written there.
   */
  append(runId: string, index: number, entries: readonly wire.RunEntry[], options?: Cancellable): Promise<void>
  /** The journal, in order. Throws `not_found`. */
  entries(runId: string, options?: Cancellable): AsyncIterable<StoredRunEntry>
}

/** `client.runs`: what AI operators did, and are doing, in the fleet. */
export class RunsNamespace implements RunJournals {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `nextCursor` on as `cursor`. */
  list({ signal, ...given }: Partial<FromWire<wire.RunListQuery>> & Cancellable = {}): Promise<RunList> {
    const query = toQuery(wire.RunListQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/runs', query, answer: wire.RunList, signal })
  }

  /** Every run, page by page as they are needed. */
  iter(query: Omit<Partial<FromWire<wire.RunListQuery>>, 'cursor'> & Cancellable = {}): AsyncGenerator<RunSummary> {
    return itemsOf(this.pages(query), ({ runId }) => runId, query)
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  pages(query: Omit<Partial<FromWire<wire.RunListQuery>>, 'cursor'> & Cancellable = {}): AsyncGenerator<RunList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }

  /** One run. Throws `not_found`. */
  get(runId: string, { signal }: Cancellable = {}): Promise<RunSummary> {
    return this.#rest.call({ method: 'GET', path: pathOf(runId), answer: wire.RunSummary, signal })
  }

  async create(run: wire.RunCreate, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ method: 'POST', path: '/api/runs', body: run, answer: wire.RunAppended, signal })
  }

  async append(
    runId: string,
    index: number,
    entries: readonly wire.RunEntry[],
    { signal }: Cancellable = {},
  ): Promise<void> {
    const path = `${pathOf(runId)}/entries`
    await this.#rest.call({ method: 'POST', path, body: { index, entries }, answer: wire.RunAppended, signal })
  }

  entries(runId: string, { signal }: Cancellable = {}): AsyncGenerator<StoredRunEntry> {
    const call = { method: 'GET', path: `${pathOf(runId)}/entries`, answer: wire.RunEntryList, signal } as const
    return rowsOf(
      countedPages((cursor) => this.#rest.call({ ...call, query: { cursor, limit: 1000 } })),
      { signal },
    )
  }
}

function pathOf(runId: string): string {
  return `/api/runs/${encodeURIComponent(runId)}`
}
