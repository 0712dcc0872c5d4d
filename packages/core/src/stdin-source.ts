import { type Channel, execLanes, type ExecStdinEnd } from '@cmdop/protocol'
import { InputSource } from './input-source.ts'

const encoder = new TextEncoder()

/** What a command reads: sent over one channel after another, and then it is said where it ends. */
export class StdinSource {
  readonly #input: InputSource

  constructor(source: string | Uint8Array | AsyncIterable<Uint8Array>) {
    const pieces = typeof source === 'string' || source instanceof Uint8Array ? once(source) : source
    this.#input = new InputSource(pieces, execLanes.stdin)
  }

  /** Sends everything from `offset` on, then says that this was all. Rejects when the channel is over or the source throws. */
  async send(channel: Channel, offset: number): Promise<void> {
    const bytes = await this.#input.send(channel, offset)
    return channel.control({ type: 'stdin-end', bytes } satisfies ExecStdinEnd)
  }

  /** Lets the source go. */
  close(): void {
    this.#input.close()
  }
}

async function* once(source: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof source === 'string' ? encoder.encode(source) : source
}
