/** The head and the tail of a stream in bounded memory. */
export class KeptStream {
  readonly #half: number
  readonly #head: Buffer[] = []
  readonly #tail: Buffer[] = []
  #headBytes = 0
  #tailBytes = 0

  /** Keeps `maxBytes`: half from the start, half from the end. */
  constructor(maxBytes: number) {
    this.#half = Math.floor(maxBytes / 2)
  }

  add(data: Uint8Array): void {
    const head = data.subarray(0, this.#half - this.#headBytes)
    const rest = data.subarray(Math.max(head.length, data.length - this.#half))
    // Copies: a small piece must not keep the large buffer it was cut from.
    if (head.length > 0) this.#head.push(Buffer.from(head))
    if (rest.length > 0) this.#tail.push(Buffer.from(rest))
    this.#headBytes += head.length
    this.#tailBytes += rest.length
    if (this.#tailBytes > 2 * this.#half || this.#tail.length > 1024) this.#shorten()
  }

  /** Head and tail, joined. */
  get data(): Buffer {
    this.#shorten()
    return Buffer.concat([...this.#head, ...this.#tail])
  }

  #shorten(): void {
    const tail = Buffer.concat(this.#tail)
    const kept = Buffer.from(tail.subarray(Math.max(0, tail.length - this.#half)))
    this.#tail.splice(0, this.#tail.length, kept)
    this.#tailBytes = kept.length
  }
}
