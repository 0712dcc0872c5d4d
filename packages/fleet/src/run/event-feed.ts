/**
 * Events of a run for whoever iterates them, from its beginning, whenever that starts. What is kept is bounded by the run: a few
 * events for each machine, which share the rows of the report.
 */
export class EventFeed<Event> {
  readonly #events: Event[] = []
  #isOver = false
  #more = Promise.withResolvers<void>()

  push(event: Event): void {
    this.#events.push(event)
    this.#wake()
  }

  /** No more events come. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (let next = 0; ; next += 1) {
      while (next >= this.#events.length) {
        if (this.#isOver) return
        await this.#more.promise
      }
      yield this.#events[next] as Event
    }
  }

  #wake(): void {
    const { resolve } = this.#more
    this.#more = Promise.withResolvers()
    resolve()
  }
}
