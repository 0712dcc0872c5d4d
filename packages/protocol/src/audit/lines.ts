/** Bytes of one line at most; longer ones are given in pieces, which no reader takes for a line. */
const MAX_LINE_BYTES = 16 * 1024 * 1024

const NEWLINE = 10

/** Cuts bytes into lines without looking at more than their ends. */
export class ByteLines {
  readonly #line: (bytes: Uint8Array) => void
  #rest = new Uint8Array(0)

  /** `line` is given each line without its newline; the bytes are only lent. */
  constructor(line: (bytes: Uint8Array) => void) {
    this.#line = line
  }

  /** Whether what came so far does not end with a newline. */
  get isWithin(): boolean {
    return this.#rest.length > 0
  }

  push(chunk: Uint8Array): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end)
      this.#line(this.#rest.length === 0 ? piece : joined(this.#rest, piece))
      this.#rest = new Uint8Array(0)
      start = end + 1
    }
    if (start === chunk.length) return
    this.#rest = joined(this.#rest, chunk.subarray(start))
    if (this.#rest.length <= MAX_LINE_BYTES) return
    this.#line(this.#rest)
    this.#rest = new Uint8Array(0)
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
