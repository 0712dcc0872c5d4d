import { writeSync } from 'node:fs'

/** Bounds of the wait before trying again what the terminal did not take, in milliseconds. */
const FIRST_WAIT_MS = 1
const LONGEST_WAIT_MS = 16

interface Waiting {
  data: Uint8Array
  readonly taken: () => void
}

/**
 * Writes to the master of a pseudo-terminal, whose descriptor does not block. What a program does not read waits here and
 * is tried again, because libuv cannot say when a terminal takes more: it makes writing to one block, and spin.
 */
export class MasterWriter {
  readonly #descriptor: number
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #waitMs = FIRST_WAIT_MS
  #ended = false

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Resolves when all of it was taken or dropped. What has to wait is copied. */
  write(data: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.resolve()
    const written = this.#waiting.length === 0 ? this.#writeNow(data) : 0
    if (written === data.length) return Promise.resolve()
    return new Promise((taken) => {
      const rest = data.slice(written)
      this.#waiting.push({ data: rest, taken })
      this.#waitingBytes += rest.length
      this.#tryLater()
    })
  }

  /** Forgets what waits. */
  drop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waitingBytes = 0
    for (const { taken } of this.#waiting.splice(0)) taken()
  }

  /** Writes nothing any more. */
  end(): void {
    this.#ended = true
    this.drop()
  }

  #tryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#writeWaiting()
    }, this.#waitMs)
  }

  #writeWaiting(): void {
    let progress = false
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const written = this.#writeNow(next.data)
      progress ||= written > 0
      this.#waitingBytes -= written
      next.data = next.data.subarray(written)
      if (next.data.length > 0) break
      this.#waiting.shift()
      next.taken()
    }
    this.#waitMs = progress ? FIRST_WAIT_MS : Math.min(2 * this.#waitMs, LONGEST_WAIT_MS)
    if (this.#waiting.length > 0) this.#tryLater()
  }

  /** How many bytes the terminal took. */
  #writeNow(data: Uint8Array): number {
    try {
      return writeSync(this.#descriptor, data)
    } catch (error) {
      // Anything else than a full terminal means that nobody will ever read it.
      return error instanceof Error && 'code' in error && error.code === 'EAGAIN' ? 0 : data.length
    }
  }
}
