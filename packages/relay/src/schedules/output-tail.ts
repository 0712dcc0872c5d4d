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

  get isTruncated(): boolean {
    return this.#bytes > this.#limit
  }

  add(data: Uint8Array): void {
    this.#bytes += data.length
    this.#pieces.push(data)
    this.#kept += data.length
    // What falls out whole is let go at once; so many small pieces are joined that they are never many.
    while (this.#pieces[0] !== undefined && this.#kept - this.#pieces[0].length >= this.#limit)
      this.#kept -= this.#pieces.shift()?.length ?? 0
    if (this.#pieces.length > MAX_PIECES) this.#pieces = [Buffer.concat(this.#pieces)]
  }

  /** As text: what is no UTF-8, and what no database keeps as text, is replaced. */
  text(): string {
    const kept = Buffer.concat(this.#pieces)
    const tail = kept.subarray(Math.max(0, kept.length - this.#limit))
    return new TextDecoder()
      .decode(tail.subarray(this.isTruncated ? restOfCharacter(tail) : 0))
      .replaceAll('\0', '\u{fffd}')
  }
}

const MAX_PIECES = 64

/** Bytes at the start that are the rest of a character that was cut. */
function restOfCharacter(data: Uint8Array): number {
  let rest = 0
  while (rest < 3 && rest < data.length && ((data[rest] ?? 0) & 0xc0) === 0x80) rest += 1
  return rest
}
