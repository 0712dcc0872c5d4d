/** Bytes of a JSON string that one byte of text takes at most: `\u001b`. */
const LONGEST = 6

/** Bytes that room is made for at once. */
const SLICE = 4096

const BACKSLASH = 0x5c
const [LINE_FEED, LETTER_R, LETTER_U, ZERO] = [0x0a, 0x72, 0x75, 0x30] as const

/** For each byte: 0 = as it is, 1 = as `\u00xx`, otherwise the character after a backslash. */
const escapes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const short: Record<number, string> = { 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r', 0x22: '"', [BACKSLASH]: '\\' }
  return short[byte]?.codePointAt(0) ?? (byte < 0x20 ? 1 : 0)
})

/**
 * Lines of JSON as bytes. Text that is UTF-8 already is escaped byte by byte: a terminal that floods is recorded with a
 * third of the work that it takes by way of strings, and without garbage.
 */
export class JsonLines {
  #out = Buffer.allocUnsafe(SLICE)
  #length = 0

  /** Adds text as it is. */
  raw(text: string): void {
    this.#reserve(text.length * 3)
    this.#length += this.#out.write(text, this.#length)
  }

  /** Adds the inside of a JSON string; the bytes have to be UTF-8. With `addsReturns`, a return before each line feed. */
  escaped(bytes: Uint8Array, addsReturns: boolean): void {
    for (let start = 0; start < bytes.length; start += SLICE)
      this.#escape(bytes.subarray(start, start + SLICE), addsReturns)
  }

  /** Everything so far, good until more is added, and begins anew. */
  take(): Buffer {
    const lines = this.#out.subarray(0, this.#length)
    this.#length = 0
    return lines
  }

  #escape(bytes: Uint8Array, addsReturns: boolean): void {
    this.#reserve(bytes.length * LONGEST)
    const out = this.#out
    let at = this.#length
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] ?? 0
      const escape = escapes[byte] ?? 0
      if (escape === 0) out[at++] = byte
      else {
        if (addsReturns && byte === LINE_FEED) {
          out[at++] = BACKSLASH
          out[at++] = LETTER_R
        }
        out[at++] = BACKSLASH
        if (escape === 1) at = writeCode(out, at, byte)
        else out[at++] = escape
      }
    }
    this.#length = at
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#length + bytes, 2 * this.#out.length))
    this.#out.copy(larger, 0, 0, this.#length)
    this.#out = larger
  }
}

/** `u001b`, of a control character. */
function writeCode(out: Buffer, at: number, byte: number): number {
  out[at] = LETTER_U
  out[at + 1] = ZERO
  out[at + 2] = ZERO
  out[at + 3] = ZERO + (byte >> 4)
  out[at + 4] = '0123456789abcdef'.charCodeAt(byte & 15)
  return at + 5
}
