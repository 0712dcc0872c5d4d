/** A terminal with `cat` in it, whose driver shows each character that is typed. */
export interface EchoingTerminal {
  /** Types, and resolves when so many more bytes have come back. */
  type(text: string, bytes: number): Promise<void>
}

/** Characters of one line: a terminal's driver takes no more than 4,095. */
const LINE = 40

/** Milliseconds from each keystroke to its echo. */
export async function measureKeystrokes(terminal: EchoingTerminal, count: number): Promise<number[]> {
  const times: number[] = []
  while (times.length < count) {
    for (let typed = 0; typed < LINE; typed += 1) {
      const begun = performance.now()
      await terminal.type('x', 1)
      times.push(performance.now() - begun)
    }
    // The end of the line is shown as two characters, and `cat` gives the line back with as many.
    await terminal.type('\n', 2 + LINE + 2)
  }
  return times
}

/** Counts what comes back, for whoever waits for it. */
export class EchoCounter {
  #bytes = 0
  #waiting: { bytes: number; arrived: () => void } | undefined

  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#waiting === undefined || this.#bytes < this.#waiting.bytes) return
    this.#bytes -= this.#waiting.bytes
    const { arrived } = this.#waiting
    this.#waiting = undefined
    arrived()
  }

  next(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { bytes, arrived: resolve }
      this.take(0)
    })
  }

  /** Forgets what has come so far. */
  reset(): void {
    this.#bytes = 0
  }
}
