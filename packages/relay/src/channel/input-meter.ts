/** Milliseconds after which there is a row about input at the latest. */
const PROGRESS_MS = 10_000

/** Some input: how many bytes, and from which one on. */
export interface InputPart {
  readonly bytes: number
  readonly offset: number
}

/** Counts what a channel carries. */
export interface Meter {
  /** What the machine sends is counted too. */
  readonly bothWays: boolean
  /** Throwing ends the channel. */
  add(bytes: number): void
  /** There is no more; all of it. */
  end(): InputPart
}

/** Counts what a caller sends to a machine, and tells of it from time to time. It never sees what it is. */
export class InputMeter implements Meter {
  readonly bothWays = false
  readonly #tell: (part: InputPart) => void
  #bytes = 0
  #told = 0
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (part: InputPart) => void) {
    this.#tell = tell
  }

  add(bytes: number): void {
    this.#bytes += bytes
    this.#timer ??= setTimeout(() => this.#tellOfRest(), PROGRESS_MS).unref()
  }

  /** There is no more; all of it. Nothing is told any more. */
  end(): InputPart {
    clearTimeout(this.#timer)
    return { bytes: this.#bytes, offset: 0 }
  }

  #tellOfRest(): void {
    this.#timer = undefined
    this.#tell({ bytes: this.#bytes - this.#told, offset: this.#told })
    this.#told = this.#bytes
  }
}
