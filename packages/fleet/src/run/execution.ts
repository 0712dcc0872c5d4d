import { EventFeed } from './event-feed.ts'

/**
 * Work that is under way: awaited for its report, or iterated for its events, from the first on; both may be done. It rejects only for
 * what keeps it from having a report.
 */
export class Execution<Event, Report> implements PromiseLike<Report>, AsyncIterable<Event> {
  readonly runId: string
  readonly #report: Promise<Report>
  readonly #events = new EventFeed<Event>()
  readonly #cancelled = new AbortController()

  constructor(
    runId: string,
    begin: (emit: (event: Event) => void, signal: AbortSignal) => Promise<Report>,
    signal: AbortSignal | undefined,
  ) {
    this.runId = runId
    const either = signal === undefined ? this.#cancelled.signal : AbortSignal.any([signal, this.#cancelled.signal])
    this.#report = begin((event) => this.#events.push(event), either).finally(() => this.#events.end())
    // Whoever iterates sees its end, and may not await it.
    this.#report.catch(() => {})
  }

  /** Starts nothing any more on any machine, and ends what runs: its process group, on each machine. */
  cancel(): void {
    this.#cancelled.abort()
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is awaited for its report
  then<Fulfilled = Report, Rejected = never>(
    fulfilled?: ((value: Report) => Fulfilled | PromiseLike<Fulfilled>) | null,
    rejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#report.then(fulfilled, rejected)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    yield* this.#events
    await this.#report
  }
}
