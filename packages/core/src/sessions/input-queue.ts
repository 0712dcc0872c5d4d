import { CmdopError } from '@cmdop/protocol'

/** Bytes of input that may wait in the client, where its writer does not wait for `write`. */
export const MAX_QUEUED_INPUT_BYTES = 1024 * 1024

interface Waiting {
  readonly data: Uint8Array
  readonly sent: PromiseWithResolvers<void>
}

/** What is typed, as a source that is asked for the next piece when the one before it is on its way. */
export class InputQueue implements AsyncIterable<Uint8Array> {
  readonly #waiting: Waiting[] = []
  #bytes = 0
  #taken: Waiting | undefined
  #arrival: PromiseWithResolvers<void> | undefined
  #refusal: CmdopError | undefined

  /** Resolves when all of it is on its way. Throws `input_overflow`, or what the queue was closed with. */
  write(data: Uint8Array): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    if (data.length === 0) return Promise.resolve()
    if (this.#bytes > 0 && this.#bytes + data.length > MAX_QUEUED_INPUT_BYTES) return Promise.reject(overflow())
    const item = { data, sent: Promise.withResolvers<void>() }
    this.#bytes += data.length
    this.#waiting.push(item)
    this.#arrival?.resolve()
    return item.sent.promise
  }

  /** Takes nothing more; what waits is refused with this. Idempotent. */
  close(error: CmdopError): void {
    if (this.#refusal !== undefined) return
    this.#refusal = error
    for (const { sent } of [...(this.#taken === undefined ? [] : [this.#taken]), ...this.#waiting.splice(0)])
      sent.reject(error)
    this.#arrival?.resolve()
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() }
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    this.#finishTaken()
    while (this.#waiting.length === 0 && this.#refusal === undefined) {
      this.#arrival ??= Promise.withResolvers<void>()
      await this.#arrival.promise
      this.#arrival = undefined
    }
    this.#taken = this.#waiting.shift()
    return this.#taken === undefined ? { done: true, value: undefined } : { done: false, value: this.#taken.data }
  }

  #finishTaken(): void {
    if (this.#taken === undefined) return
    this.#bytes -= this.#taken.data.length
    this.#taken.sent.resolve()
    this.#taken = undefined
  }
}

function overflow(): CmdopError {
  return new CmdopError(
    'input_overflow',
    `More than ${MAX_QUEUED_INPUT_BYTES} bytes of input wait to be sent; wait for write() before you write more.`,
  )
}
