import { decodeFrame, decodeJson, decodeWindow, dataCost, frameTypes } from '../frame.ts'
import { MAX_WINDOW } from '../limits.ts'
import type { Transport, TransportHandlers } from '../transport.ts'
import { Open } from '../../messages/open.ts'

/** Keeps count, outside of the code under test, of what one end grants, receives and reads. */
export class Ledger {
  /** What broke a bound, as sentences. */
  readonly violations: string[] = []
  /** Bytes of data frames sent and received by this end, as credit counts them. */
  sent = 0
  received = 0
  readonly #granted = new Map<number, number>()
  readonly #arrived = new Map<number, number>()
  readonly #read = new Map<number, number>()

  /** A transport whose every frame is entered here. */
  watch(transport: Transport): Transport {
    return {
      start: (handlers: TransportHandlers) =>
        transport.start({
          ...handlers,
          message: (message) => {
            this.#receive(message)
            handlers.message(message)
          },
        }),
      send: (message) => {
        this.#send(message)
        transport.send(message)
      },
      close: (code, reason) => transport.close(code, reason),
      terminate: () => transport.terminate(),
      get bufferedBytes() {
        return transport.bufferedBytes
      },
    }
  }

  /** The reader took a message. */
  read(channel: number, contentBytes: number): void {
    const read = add(this.#read, channel, dataCost(contentBytes + 1))
    const held = (this.#granted.get(channel) ?? 0) - read
    if (held > MAX_WINDOW) this.violations.push(`Channel ${channel} granted ${held} bytes beyond what was read.`)
  }

  #send(message: Uint8Array): void {
    const frame = decodeFrame(message)
    if (frame.type === frameTypes.data) this.sent += dataCost(frame.payload.length)
    if (frame.type === frameTypes.window) add(this.#granted, frame.channel, decodeWindow(frame.payload))
    if (frame.type === frameTypes.open) {
      add(this.#granted, frame.channel, Open.parse(decodeJson(frame.payload)).window)
    }
  }

  #receive(message: Uint8Array): void {
    const frame = decodeFrame(message)
    if (frame.type !== frameTypes.data) return
    this.received += dataCost(frame.payload.length)
    const arrived = add(this.#arrived, frame.channel, dataCost(frame.payload.length))
    const over = arrived - (this.#granted.get(frame.channel) ?? 0)
    if (over > 0) this.violations.push(`Channel ${frame.channel} received ${over} bytes more than it granted.`)
  }
}

function add(sums: Map<number, number>, key: number, bytes: number): number {
  const sum = (sums.get(key) ?? 0) + bytes
  sums.set(key, sum)
  return sum
}
