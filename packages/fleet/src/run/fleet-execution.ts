import type { FleetReport } from '../report/fleet-report.ts'
import type { FleetEvent } from './conduct.ts'
import { EventFeed } from './event-feed.ts'

/** Does the run, telling what happens. */
export type Begin<Result> = (
  emit: (event: FleetEvent<Result>) => void,
  signal: AbortSignal,
) => Promise<FleetReport<Result>>

/**
 * A fleet run that is under way: awaited for its report, or iterated for its events, from the first on; both may be done. It rejects
 * only for what is wrong before any machine is asked; what goes wrong on a machine is in its row.
 */
export class FleetExecution<Result> implements PromiseLike<FleetReport<Result>>, AsyncIterable<FleetEvent<Result>> {
  readonly runId: string
  readonly #report: Promise<FleetReport<Result>>
  readonly #events = new EventFeed<FleetEvent<Result>>()
  readonly #cancelled = new AbortController()

  constructor(runId: string, begin: Begin<Result>, signal: AbortSignal | undefined) {
    this.runId = runId
    const either = signal === undefined ? this.#cancelled.signal : AbortSignal.any([signal, this.#cancelled.signal])
    this.#report = begin((event) => this.#events.push(event), either).finally(() => this.#events.end())
    // Whoever iterates sees its end, and may not await it.
    this.#report.catch(() => {})
  }

  /** Starts no machine any more, and ends what runs: its process group, on each machine. */
  cancel(): void {
    this.#cancelled.abort()
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a run is awaited for its report
  then<Fulfilled = FleetReport<Result>, Rejected = never>(
    fulfilled?: ((value: FleetReport<Result>) => Fulfilled | PromiseLike<Fulfilled>) | null,
    rejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#report.then(fulfilled, rejected)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FleetEvent<Result>, void, undefined> {
    yield* this.#events
    await this.#report
  }
}
