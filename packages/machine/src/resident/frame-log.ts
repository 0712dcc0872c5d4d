import { type AskWireFrame, jsonLine } from '@cmdop/protocol'

/** Bytes of frames that are kept for who comes back; those not sent yet are kept whatever they are. */
const KEPT_BYTES = 4 * 1024 * 1024

/** Bytes that wait to be sent at most; then whoever appends waits. */
const UNSENT_BYTES = 512 * 1024

interface Line {
  readonly number: number
  readonly data: Uint8Array
}

/** The frames of one ask, numbered from 1: bounded, and readable again from any that is kept. */
export class FrameLog {
  #lines: Line[] = []
  #keptBytes = 0
  #unsentBytes = 0
  #last = 0
  #sent = 0
  #ended = false
  #abandoned = false
  #changed = Promise.withResolvers<void>()

  /** Whether reading can go on after this number. */
  has(after: number): boolean {
    return after <= this.#last && after >= (this.#lines[0]?.number ?? this.#last + 1) - 1
  }

  /** Resolves when more may be appended: a reader that is slow, or away, stops the ask. */
  async append(frame: AskWireFrame): Promise<void> {
    this.#push(frame)
    while (this.#unsentBytes > UNSENT_BYTES && !this.#abandoned) await this.#changed.promise
  }

  /** The last frame. */
  end(frame: AskWireFrame): void {
    this.#push(frame)
    this.#ended = true
    this.#notify()
  }

  /** Nobody will read: what is appended from now on waits for nobody. */
  abandon(): void {
    this.#abandoned = true
    this.#notify()
  }

  /** The lines after this number, as they come; ends after the last one. */
  async *after(number: number, signal: AbortSignal): AsyncGenerator<Line, void, undefined> {
    const wake = () => this.#notify()
    signal.addEventListener('abort', wake, { once: true })
    try {
      for (let next = number + 1; !signal.aborted;) {
        const line = this.#lines[next - (this.#lines[0]?.number ?? next)]
        if (line !== undefined) {
          yield line
          next += 1
        } else if (this.#ended) return
        else await this.#changed.promise
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /** The line has been sent. */
  sent({ number, data }: Line): void {
    if (number <= this.#sent) return
    this.#sent = number
    this.#unsentBytes -= data.length
    this.#forget()
    this.#notify()
  }

  #push(frame: AskWireFrame): void {
    this.#last += 1
    const data = jsonLine({ number: this.#last, frame })
    this.#lines.push({ number: this.#last, data })
    this.#keptBytes += data.length
    this.#unsentBytes += data.length
    this.#forget()
    this.#notify()
  }

  #forget(): void {
    let count = 0
    for (const { number, data } of this.#lines) {
      if (this.#keptBytes <= KEPT_BYTES || (number > this.#sent && !this.#abandoned)) break
      this.#keptBytes -= data.length
      count += 1
    }
    if (count > 0) this.#lines = this.#lines.slice(count)
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
