import { type Channel, execLanes, type ExecStdinEnd, MAX_WINDOW } from '@cmdop/protocol'

const encoder = new TextEncoder()

/** Pieces after whose number it is looked which of them are not needed any more. */
const FORGET_EVERY = 64

interface Piece {
  readonly data: Uint8Array
  /** Position of its first byte in what the command reads. */
  readonly offset: number
}

/**
 * What a command reads. The last {@link MAX_WINDOW} bytes are kept, which is as much as can be under way, so that after
 * a lost connection the rest is sent from where the machine says it is.
 */
export class StdinSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  #kept: Piece[] = []
  #end = 0
  #done = false
  #reading: Promise<void> | undefined

  constructor(source: string | Uint8Array | AsyncIterable<Uint8Array>) {
    const pieces = typeof source === 'string' || source instanceof Uint8Array ? once(source) : source
    this.#iterator = pieces[Symbol.asyncIterator]()
  }

  /** Sends everything from `offset` on, then says that this was all. Rejects when the channel is over or the source throws. */
  async send(channel: Channel, offset: number): Promise<void> {
    for (let at = offset; ;) {
      const piece = this.#from(at)
      if (piece !== undefined) {
        await channel.send(execLanes.stdin, piece)
        at += piece.length
      } else if (this.#done) return channel.control({ type: 'stdin-end', bytes: this.#end } satisfies ExecStdinEnd)
      else await this.#read()
    }
  }

  /** Lets the source go. Not waited for: a generator that waits for something returns only after that. */
  close(): void {
    this.#done = true
    this.#iterator.return?.().catch(() => {})
  }

  /** The rest of the piece in which `offset` lies, found by bisection: there may be very many small ones. */
  #from(offset: number): Uint8Array | undefined {
    let low = 0
    let high = this.#kept.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#kept[middle]?.offset ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    const piece = this.#kept[low]
    return piece === undefined || offset >= this.#end ? undefined : piece.data.subarray(offset - piece.offset)
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
    if (result.value.length === 0) return
    this.#kept.push({ data: result.value, offset: this.#end })
    this.#end += result.value.length
    if (this.#kept.length % FORGET_EVERY === 0) this.#forget()
  }

  #forget(): void {
    const keepFrom = this.#end - MAX_WINDOW
    const first = this.#kept.findIndex(({ data, offset }) => offset + data.length > keepFrom)
    if (first > 0) this.#kept = this.#kept.slice(first)
  }
}

async function* once(source: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof source === 'string' ? encoder.encode(source) : source
}
