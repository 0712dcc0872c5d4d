/** Something that a session's output must not run away from. */
export interface FlowBound {
  /** How far it is behind, in bytes. */
  readonly behind: () => number
  /** More than this, and the terminal is slowed. */
  readonly limit: () => number
}

/** Slows a terminal while somebody who must get everything is too far behind, and lets it go on from half of that. */
export class Flow {
  readonly #bounds: readonly FlowBound[]
  readonly #terminal: () => { pause(): void; resume(): void } | undefined
  #isPaused = false
  #isOpen = false

  constructor(bounds: readonly FlowBound[], terminal: () => { pause(): void; resume(): void } | undefined) {
    this.#bounds = bounds
    this.#terminal = terminal
  }

  /** Somebody is further, or further behind. */
  regulate(): void {
    const part = this.#isPaused ? 0.5 : 1
    const wait = !this.#isOpen && this.#bounds.some(({ behind, limit }) => behind() > part * limit())
    if (wait === this.#isPaused) return
    this.#isPaused = wait
    if (wait) this.#terminal()?.pause()
    else this.#terminal()?.resume()
  }

  /** Waits for nobody any more: the session is to end. */
  open(): void {
    this.#isOpen = true
    this.regulate()
  }
}
