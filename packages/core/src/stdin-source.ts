import { type Channel, execLanes, MAX_WINDOW } from '@cmdop/protocol'

const encoder = new TextEncoder()

/**
 * What a command reads. The last {@link MAX_WINDOW} bytes are kept, which is as much as can be under way, so that after
 * a lost connection the rest is sent from where the machine says it is.
 */
export class StdinSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  #kept: Uint8Array[] = []
  #keptFrom = 0
  #end = 0
  #done = false
  #reading: Promise<void> | undefined

  constructor(source: string | Uint8Array | AsyncIterable<Uint8Array>) {
    this.#iterator = iterate(source)
  }

  /** Sends everything from `offset` on, then ends our side. Rejects when the channel is over or the source throws. */
  async send(channel: Channel, offset: number): Promise<void> {
    for (let at = offset; ;) {
      const piece = this.#from(at)
      if (piece !== undefined) {
        await channel.send(execLanes.stdin, piece)
        at += piece.length
      } else if (this.#done) return channel.end()
      else await this.#read()
    }
  }

  /** Lets the source go. Not waited for: a generator that waits for something returns only after that. */
  close(): void {
    this.#done = true
    this.#iterator.return?.().catch(() => {})
  }

  #from(offset: number): Uint8Array | undefined {
    let start = this.#keptFrom
    for (const piece of this.#kept) {
      if (offset < start + piece.length) return piece.subarray(Math.max(0, offset - start))
      start += piece.length
    }
    return undefined
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
    this.#kept.push(result.value)
    this.#end += result.value.length
    for (
      let first = this.#kept[0];
      first !== undefined && this.#end - this.#keptFrom - first.length >= MAX_WINDOW;
      first = this.#kept[0]
    ) {
      this.#kept.shift()
      this.#keptFrom += first.length
    }
  }
}

async function* iterate(source: string | Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (typeof source === 'string') yield encoder.encode(source)
  else if (source instanceof Uint8Array) yield source
  else yield* source
}
