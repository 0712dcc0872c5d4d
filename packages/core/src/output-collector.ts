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
    if (this.#tailBytes > 2 * this.#tailLimit + 65_536) this.#trim()
  }

  /** The stream as it was, or its head and tail with a line between that says how much is left out. */
  finish(): CollectedOutput {
    this.#trim()
    const head = concat(this.#head, this.#headBytes)
    const tail = concat(this.#tail, this.#tailBytes)
    const missing = this.#total - head.length - tail.length
    const data = concat([head, tail], head.length + tail.length)
    if (missing === 0) return { text: decode(data), data, truncated: false }
    return {
      text: `${decode(head)}\n[... ${missing} of ${this.#total} bytes left out ...]\n${decode(tail)}`,
      data,
      truncated: true,
    }
  }

  /** Leaves exactly the last bytes; one copy now and then, not one for each piece. */
  #trim(): void {
    if (this.#tailBytes <= this.#tailLimit) return
    const whole = concat(this.#tail, this.#tailBytes)
    this.#tail = this.#tailLimit === 0 ? [] : [whole.slice(-this.#tailLimit)]
    this.#tailBytes = this.#tailLimit
  }
}

function decode(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}
