/** The end of an output, of at most so many bytes. */
export class OutputTail {
  readonly #limit: number
  #pieces: Uint8Array[] = []
  #kept = 0
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that are held in memory: less than twice the limit. */
  get heldBytes(): number {
    return this.#kept
  }

  get isTruncated(): boolean {
    return this.#bytes > this.#limit
  }

  add(data: Uint8Array): void {
    this.#bytes += data.length
    // A copy: what it is a part of is not kept for it.
    const end = Buffer.from(data.subarray(Math.max(0, data.length - this.#limit)))
    if (end.length === 0) return
    this.#pieces.push(end)
    this.#kept += end.length
    // Small pieces are joined to one of their kind: each byte is copied as often as its piece doubles.
    for (;;) {
      const [before, last] = this.#pieces.slice(-2)
      if (before === undefined || last === undefined || before.length > last.length) break
      this.#pieces.splice(-2, 2, Buffer.concat([before, last]))
    }
    // What falls out whole is let go at once, and the rest of the first one before there is twice as much as is to be kept.
    while (this.#pieces[0] !== undefined && this.#kept - this.#pieces[0].length >= this.#limit)
      this.#kept -= this.#pieces.shift()?.length ?? 0
    if (this.#kept >= 2 * this.#limit) {
      this.#pieces = [this.#end()]
      this.#kept = this.#limit
    }
  }

  #end(): Uint8Array {
    const kept = Buffer.concat(this.#pieces)
    return Buffer.from(kept.subarray(Math.max(0, kept.length - this.#limit)))
  }

  /** As text: what is no UTF-8, and what no database keeps as text, is replaced. */
  text(): string {
    const tail = this.#end()
    return new TextDecoder()
      .decode(tail.subarray(this.isTruncated ? restOfCharacter(tail) : 0))
      .replaceAll('\0', '\u{fffd}')
  }
}

/** Bytes at the start that are the rest of a character that was cut. */
function restOfCharacter(data: Uint8Array): number {
  let rest = 0
  while (rest < 3 && rest < data.length && ((data[rest] ?? 0) & 0xc0) === 0x80) rest += 1
  return rest
}
