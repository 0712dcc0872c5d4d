/** Milliseconds between two of the same. */
const EVERY_MS = 60_000

/** What is remembered at most; of more the oldest is forgotten, and comes again at once. */
const MAX_REMEMBERED = 10_000

/** Says of what comes again and again when it is due: once a minute. */
export class Seldom {
  readonly #last = new Map<string, number>()

  isDue(what: string): boolean {
    const now = Date.now()
    if (now - (this.#last.get(what) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return false
    this.#last.delete(what)
    this.#last.set(what, now)
    const [oldest] = this.#last.keys()
    if (oldest !== undefined && this.#last.size > MAX_REMEMBERED) this.#last.delete(oldest)
    return true
  }

  /** It did not come about after all. */
  forget(what: string): void {
    this.#last.delete(what)
  }
}
