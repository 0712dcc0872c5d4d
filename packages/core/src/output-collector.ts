import { concat } from './channels.ts'

/** What is kept of a stream: the first and the last half of the limit. */
export interface CollectedOutput {
  readonly text: string
  readonly data: Uint8Array
  readonly truncated: boolean
}

/** Keeps the head and the tail of a stream in bounded memory. */
export class OutputCollector {
  readonly #headLimit: number
  readonly #tailLimit: number
  readonly #head: Uint8Array[] = []
  #headBytes = 0
  #tail: Uint8Array[] = []
  #tailBytes = 0
  #total = 0

  constructor(maxBytes: number) {
    this.#headLimit = Math.ceil(maxBytes / 2)
    this.#tailLimit = Math.floor(maxBytes / 2)
  }

  add(data: Uint8Array): void {
    this.#total += data.length
    const head = data.subarray(0, this.#headLimit - this.#headBytes)
    if (head.length > 0) this.#head.push(head)
    this.#headBytes += head.length
    const rest = data.subarray(head.length)
    if (rest.length === 0) return
    this.#tail.push(rest)
    this.#tailBytes += rest.length
    if (this.#tailBytes > 2 * this.#tailLimit + 65_536) this.#forget()
  }

  /** The stream as it was, or its head and tail with a line between that says how much is left out. */
  finish(): CollectedOutput {
    this.#forget()
    const head = concat(this.#head, this.#headBytes)
    const tail = concat(this.#tail, this.#tailBytes).subarray(Math.max(0, this.#tailBytes - this.#tailLimit))
    const missing = this.#total - head.length - tail.length
    const data = concat([head, tail], head.length + tail.length)
    if (missing === 0) return { text: decode(data), data, truncated: false }
    return {
      text: `${decode(head)}\n[... ${missing} of ${this.#total} bytes left out ...]\n${decode(tail)}`,
      data,
      truncated: true,
    }
  }

  /** Lets go of the pieces that lie wholly before the last bytes. Copies nothing: a fast stream must not make garbage. */
  #forget(): void {
    let first = 0
    for (const piece of this.#tail) {
      if (this.#tailBytes - piece.length < this.#tailLimit) break
      this.#tailBytes -= piece.length
      first += 1
    }
    if (first > 0) this.#tail = this.#tail.slice(first)
  }
}

function decode(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}
