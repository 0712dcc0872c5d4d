import { type Channel, execLanes, type ExecStdinEnd, ResendBuffer } from '@cmdop/protocol'

const encoder = new TextEncoder()

/**
 * What a command reads. Its end is kept, so that after a lost connection the rest is sent from where the machine says it
 * is.
 */
export class StdinSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #kept = new ResendBuffer()
  #done = false
  #reading: Promise<void> | undefined

  constructor(source: string | Uint8Array | AsyncIterable<Uint8Array>) {
    const pieces = typeof source === 'string' || source instanceof Uint8Array ? once(source) : source
    this.#iterator = pieces[Symbol.asyncIterator]()
  }

  /** Sends everything from `offset` on, then says that this was all. Rejects when the channel is over or the source throws. */
  async send(channel: Channel, offset: number): Promise<void> {
    for (let at = offset; ;) {
      const piece = this.#kept.at(at)
      if (piece !== undefined) {
        await channel.send(piece.lane, piece.data)
        at += piece.data.length
        this.#kept.sentUpTo(at)
      } else if (this.#done) return channel.control({ type: 'stdin-end', bytes: this.#kept.end } satisfies ExecStdinEnd)
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
    if (result.done === true) {
      this.#done = true
      return
    }
    this.#kept.append(execLanes.stdin, result.value)
  }
}

async function* once(source: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof source === 'string' ? encoder.encode(source) : source
}
