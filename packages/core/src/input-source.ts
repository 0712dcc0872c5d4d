import { type Channel, ResendBuffer } from '@cmdop/protocol'

/**
 * Input for a machine, sent in order over one channel after another. Its end is kept, so that after a lost connection the
 * rest is sent from where the machine says it is: every byte once.
 */
export class InputSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #lane: number
  readonly #kept = new ResendBuffer()
  #done = false
  #reading: Promise<void> | undefined

  constructor(source: AsyncIterable<Uint8Array>, lane: number) {
    this.#iterator = source[Symbol.asyncIterator]()
    this.#lane = lane
  }

  /**
   * Sends everything from `offset` on and resolves to the length of all of it. The source is asked for its next piece
   * when all before it are on their way. Rejects when the channel is over or the source throws.
   */
  async send(channel: Channel, offset: number): Promise<number> {
    for (let at = offset; ;) {
      const piece = this.#kept.at(at)
      if (piece !== undefined) {
        await channel.send(piece.lane, piece.data)
        at += piece.data.length
        this.#kept.sentUpTo(at)
      } else if (this.#done) return this.#kept.end
      else await this.#read()
    }
  }

  /** Lets the source go. Not waited for: a generator that waits for something returns only after that. */
  close(): void {
    this.#done = true
    this.#iterator.return?.().catch(() => {})
  }

  #read(): Promise<void> {
    this.#reading ??= this.#iterator
      .next()
      .then((result) => this.#take(result))
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }

  #take(result: IteratorResult<Uint8Array>): void {
    if (result.done === true) this.#done = true
    else this.#kept.append(this.#lane, result.value)
  }
}
