/** A stretch of output that is still kept. */
export interface KeptPart {
  readonly data: Buffer
  /** Where it begins in the whole. */
  readonly offset: number
}

/** The head and the tail of one output, in bounded memory, however long it is. */
export class KeptOutput {
  readonly #half: number
  readonly #head: Buffer[] = []
  readonly #tail: Buffer[] = []
  #headBytes = 0
  #tailBytes = 0
  #total = 0

  /** Keeps `maxBytes`: half from the start, half from the end. */
  constructor(maxBytes: number) {
    this.#half = Math.floor(maxBytes / 2)
  }

  /** Bytes there were, kept or not. */
  get total(): number {
    return this.#total
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#headBytes + this.#tailBytes
  }

  add(data: Buffer): void {
    this.#total += data.length
    const head = data.subarray(0, this.#half - this.#headBytes)
    if (head.length > 0) this.#head.push(Buffer.from(head))
    this.#headBytes += head.length
    const rest = data.subarray(Math.max(head.length, data.length - this.#half))
    if (rest.length === 0) return
    // A copy: a small piece must not keep the large buffer it was cut from.
    this.#tail.push(Buffer.from(rest))
    this.#tailBytes += rest.length
    if (this.#tailBytes > 2 * this.#half || this.#tail.length > 1024) this.#shorten()
  }

  /** Head and tail joined; their lengths are equal where something is left out between them. */
  data(): Buffer {
    this.#shorten()
    return Buffer.concat([...this.#head, ...this.#tail])
  }

  /** What is kept from an offset on, up to the gap or the end. undefined: nothing is kept there. */
  part(offset: number, length: number): KeptPart | undefined {
    this.#shorten()
    const tailStart = this.#total - this.#tailBytes
    const [pieces, start] =
      offset < this.#headBytes && !(offset >= tailStart && this.#tailBytes > 0)
        ? [this.#head, 0]
        : [this.#tail, tailStart]
    if (offset < start || offset >= this.#total) return undefined
    const joined = pieces === this.#head && tailStart === this.#headBytes ? [...this.#head, ...this.#tail] : pieces
    return { data: Buffer.concat(joined).subarray(offset - start, offset - start + length), offset }
  }

  /** What is not kept: from where to where. */
  get gap(): readonly [start: number, end: number] {
    return [this.#headBytes, this.#total - Math.min(this.#tailBytes, this.#half)]
  }

  #shorten(): void {
    if (this.#tail.length <= 1 && this.#tailBytes <= this.#half) return
    const tail = Buffer.concat(this.#tail)
    const kept = Buffer.from(tail.subarray(Math.max(0, tail.length - this.#half)))
    this.#tail.splice(0, this.#tail.length, kept)
    this.#tailBytes = kept.length
  }
}
