import {
  RunAppended,
  type RunCreate,
  type RunEntry,
  RunEntryList,
  RunList,
  type RunListQuery,
  RunSummary,
} from '@cmdop/protocol'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** An entry of a run's journal as the relay has it. */
export interface StoredRunEntry {
  /** When it became durable, by the relay's clock. */
  readonly at: string
  readonly entry: RunEntry
}

/** Where operators' runs are written down. */
export interface RunJournals {
  /** Begins a run, with its first entry. The same again changes nothing. Throws `conflict` when the id is taken. */
  create(run: RunCreate, options?: Cancellable): Promise<void>
  /**
   * Adds entries from `index` on; resolves when they are durable. The same again changes nothing. Throws `conflict` when
   * somebody else has written there.
   */
  append(runId: string, index: number, entries: readonly RunEntry[], options?: Cancellable): Promise<void>
  /** The journal, in order. Throws `not_found`. */
  entries(runId: string, options?: Cancellable): AsyncIterable<StoredRunEntry>
}

/** `client.runs`: what AI operators did, and are doing, in the fleet. */
export class RunsNamespace implements RunJournals {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** One page, the newest first. Pass `next_cursor` on as `cursor`. */
  list({ signal, ...query }: Partial<RunListQuery> & Cancellable = {}): Promise<RunList> {
    return this.#rest.call({ method: 'GET', path: '/api/runs', query, answer: RunList, signal })
  }

  /** Every run, page by page as they are needed. */
  async *iter(query: Omit<Partial<RunListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<RunSummary> {
    for await (const page of this.pages(query)) yield* page.items
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  async *pages(query: Omit<Partial<RunListQuery>, 'cursor'> & Cancellable = {}): AsyncGenerator<RunList> {
    for (let cursor: string | undefined; ;) {
      const page = await this.list({ ...query, ...(cursor === undefined ? {} : { cursor }) })
      yield page
      if (page.next_cursor === null || page.next_cursor === cursor) return
      cursor = page.next_cursor
    }
  }

  /** One run. Throws `not_found`. */
  get(runId: string, { signal }: Cancellable = {}): Promise<RunSummary> {
    return this.#rest.call({ method: 'GET', path: pathOf(runId), answer: RunSummary, signal })
  }

  async create(run: RunCreate, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ method: 'POST', path: '/api/runs', body: run, answer: RunAppended, signal })
  }

  async append(
    runId: string,
    index: number,
    entries: readonly RunEntry[],
    { signal }: Cancellable = {},
  ): Promise<void> {
    const path = `${pathOf(runId)}/entries`
    await this.#rest.call({ method: 'POST', path, body: { index, entries }, answer: RunAppended, signal })
  }

  async *entries(runId: string, { signal }: Cancellable = {}): AsyncGenerator<StoredRunEntry> {
    const path = `${pathOf(runId)}/entries`
    for (let cursor = 0; ;) {
      const query = { cursor, limit: 1000 }
      const page = await this.#rest.call({ method: 'GET', path, query, answer: RunEntryList, signal })
      yield* page.items
      if (page.next_cursor === null || page.next_cursor <= cursor) return
      cursor = page.next_cursor
    }
  }
}

function pathOf(runId: string): string {
  return `/api/runs/${encodeURIComponent(runId)}`
}
