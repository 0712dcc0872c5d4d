/** Bytes of a sequence that is not complete that are kept; of a longer one nothing is. */
const MAX_KEPT_BYTES = 64 * 1024

const ESCAPE = 0x1b

/**
 * Remembers the end of the output, from which a terminal that comes later must be given what is not complete: the
 * beginning of an escape sequence, or of a character.
 */
export class Unfinished {
  #parts: Uint8Array[] = []
  #bytes = 0
  /** It begins with the last escape character. */
  #hasEscape = false
  #last: Uint8Array = new Uint8Array(0)

  write(data: Uint8Array): void {
    const escape = data.lastIndexOf(ESCAPE)
    if (escape >= 0) {
      this.#parts = []
      this.#bytes = 0
      this.#hasEscape = true
    }
    const part = escape < 0 ? data : data.slice(escape)
    if (this.#hasEscape) this.#keep(part)
    this.#last = data.length >= 3 ? data.slice(-3) : Uint8Array.from([...this.#last, ...data]).slice(-3)
  }

  /** What is not complete, given whether the terminal is within an escape sequence. */
  read(isInSequence: boolean): Uint8Array {
    if (!isInSequence) return this.#last.slice(this.#last.length - cutBytes(this.#last))
    // Control characters within a sequence were obeyed when they came.
    return this.#hasEscape
      ? Buffer.concat(this.#parts).filter((byte) => byte >= 0x20 || byte === ESCAPE)
      : new Uint8Array(0)
  }

  #keep(part: Uint8Array): void {
    this.#parts.push(part)
    this.#bytes += part.length
    if (this.#bytes <= MAX_KEPT_BYTES) return
    this.#parts = []
    this.#hasEscape = false
  }
}

/** How many bytes at the end are the beginning of a UTF-8 character that is not complete: 0 to 3. */
function cutBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte >= 0x80 && byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}
