/** Milliseconds between two rows about input that flows. */
const PROGRESS_MS = 10_000

/** Some input: how many bytes, and from which one on. */
export interface InputPart {
  readonly bytes: number
  readonly offset: number
}

/** Counts what a caller sends to a machine, and tells of it from time to time. It never sees what it is. */
export class InputMeter {
  readonly #tell: (part: InputPart) => void
  #bytes = 0
  #told = 0
  #toldAt = Date.now()

  constructor(tell: (part: InputPart) => void) {
    this.#tell = tell
  }

  /** All of it. */
  get whole(): InputPart {
    return { bytes: this.#bytes, offset: 0 }
  }

  add(bytes: number): void {
    this.#bytes += bytes
    const now = Date.now()
    if (now - this.#toldAt < PROGRESS_MS) return
    this.#tell({ bytes: this.#bytes - this.#told, offset: this.#told })
    this.#told = this.#bytes
    this.#toldAt = now
  }
}
