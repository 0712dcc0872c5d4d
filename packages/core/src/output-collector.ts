import { concat } from './channels.ts'

/** What is kept of a stream: the first and the last half of the limit. */
export interface CollectedOutput {
  readonly text: string
  readonly data: Uint8Array
  readonly truncated: boolean
}

/** Bytes of the first buffer of a stream. */
const FIRST_BUFFER_BYTES = 4096

/** Keeps the head and the tail of a stream in bounded memory, however small its pieces are. */
export class OutputCollector {
  readonly #head: GrowingBuffer
  readonly #tail: GrowingBuffer
  #total = 0

  constructor(maxBytes: number) {
    this.#head = new GrowingBuffer(Math.ceil(maxBytes / 2))
    // Twice what is kept, so that moving the end to the front costs one copy for each byte.
    this.#tail = new GrowingBuffer(2 * Math.floor(maxBytes / 2))
  }

  add(data: Uint8Array): void {
    this.#total += data.length
    const head = data.subarray(0, this.#head.room)
    this.#head.append(head)
    const tailLimit = this.#tail.limit / 2
    const rest = data.subarray(head.length)
    const end = rest.subarray(Math.max(0, rest.length - tailLimit))
    if (end.length > this.#tail.room) this.#tail.keepEnd(tailLimit - end.length)
    this.#tail.append(end)
  }

  /** Notes bytes that are not there. */
  skip(bytes: number): void {
    this.#total += bytes
  }

  /** The stream as it was, or its head and tail with a line between that says how much is left out. */
  finish(): CollectedOutput {
    this.#tail.keepEnd(this.#tail.limit / 2)
    const [head, tail] = [this.#head.whole(), this.#tail.data]
    const missing = this.#total - head.length - tail.length
    const data = tail.length === 0 ? head : concat([head, tail], head.length + tail.length)
    if (missing === 0) return { text: decode(data), data, truncated: false }
    return {
      text: `${decode(head)}\n[... ${missing} of ${this.#total} bytes left out ...]\n${decode(tail)}`,
      data,
      truncated: true,
    }
  }
}

/** Bytes in one buffer, which doubles as it fills, up to a limit. */
class GrowingBuffer {
  readonly limit: number
  #buffer = new Uint8Array(0)
  #bytes = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get room(): number {
    return this.limit - this.#bytes
  }

  get data(): Uint8Array {
    return this.#buffer.subarray(0, this.#bytes)
  }

  append(data: Uint8Array): void {
    const bytes = this.#bytes + data.length
    if (bytes > this.#buffer.length)
      this.#resize(Math.min(this.limit, Math.max(FIRST_BUFFER_BYTES, 2 * this.#buffer.length, bytes)))
    this.#buffer.set(data, this.#bytes)
    this.#bytes = bytes
  }

  /** What there is, in a buffer that has nothing else. */
  whole(): Uint8Array {
    if (this.#buffer.length > this.#bytes) this.#resize(this.#bytes)
    return this.#buffer
  }

  /** Moved, so that the former buffer is gone at once: thousands of these wait for no garbage collector. */
  #resize(bytes: number): void {
    this.#buffer = new Uint8Array(this.#buffer.buffer.transfer(bytes))
  }

  /** Drops all but the last bytes. */
  keepEnd(bytes: number): void {
    if (this.#bytes <= bytes) return
    this.#buffer.copyWithin(0, this.#bytes - bytes, this.#bytes)
    this.#bytes = bytes
  }
}

function decode(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}
