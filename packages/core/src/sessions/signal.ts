/** Wakes who waits for something to have changed. */
export class Signal {
  #waiting: PromiseWithResolvers<void> | undefined

  /** Until the next {@link Signal.raise}. */
  wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>()
    return this.#waiting.promise
  }

  raise(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}
