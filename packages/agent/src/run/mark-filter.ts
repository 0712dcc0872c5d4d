const BELL = 0x07

/** Most bytes of a mark. */
export const MARK_BYTES = 4096 + 128

/** Takes marks out of output that comes in pieces: a beginning that nobody else knows, a text, and a bell. */
export class MarkFilter {
  readonly #begin: Buffer
  readonly #onMark: (text: string) => void
  #held: Buffer = Buffer.alloc(0)
  #removedBytes = 0

  constructor(begin: string, onMark: (text: string) => void) {
    this.#begin = Buffer.from(begin)
    this.#onMark = onMark
  }

  /** Bytes of marks that were taken out. */
  get removedBytes(): number {
    return this.#removedBytes
  }

  /** What of the output is known to be no mark. */
  push(data: Uint8Array): Buffer {
    this.#held = Buffer.concat([this.#held, data])
    const free: Buffer[] = []
    for (;;) {
      const at = this.#held.indexOf(this.#begin)
      if (at === -1) {
        free.push(this.#take(this.#held.length - this.#startedBytes()))
        break
      }
      free.push(this.#take(at))
      const end = this.#held.indexOf(BELL)
      if (end === -1 && this.#held.length <= MARK_BYTES) break
      if (end === -1 || end >= MARK_BYTES) {
        free.push(this.#take(this.#begin.length))
        continue
      }
      const mark = this.#take(end + 1)
      this.#removedBytes += mark.length
      this.#onMark(mark.subarray(this.#begin.length, -1).toString())
    }
    return Buffer.concat(free)
  }

  /** What was held back: the output is over, and it is no mark. */
  end(): Buffer {
    return this.#take(this.#held.length)
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return taken
  }

  /** Bytes at the end of what is held with which a mark may have begun. */
  #startedBytes(): number {
    const longest = Math.min(this.#held.length, this.#begin.length - 1)
    for (let length = longest; length > 0; length -= 1) {
      if (this.#held.subarray(-length).equals(this.#begin.subarray(0, length))) return length
    }
    return 0
  }
}
