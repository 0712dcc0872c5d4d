import { cutReason } from './close-reason.ts'
import { Inbox } from './inbox.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'
import { MAX_DATA_BYTES } from './limits.ts'
import type { Transport, TransportHandlers } from './transport.ts'

/** The part of a `ws` socket that a transport needs. The socket must be open; binary messages are Node buffers. */
export interface EmitterSocket {
  readonly bufferedAmount: number
  send(data: Uint8Array): void
  close(code?: number, reason?: string): void
  terminate(): void
  on(event: 'message', listener: (data: unknown, isBinary: boolean) => void): unknown
  on(event: 'close', listener: (code: number, reason: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** A data frame: header, lane and content. */
const LARGEST_DATA_FRAME = FRAME_HEADER_BYTES + 1 + MAX_DATA_BYTES

const decoder = new TextDecoder()

/** A transport over a `ws` socket, without the cost of DOM events. Made in its `open` event, it misses nothing. */
export function createEmitterTransport(socket: EmitterSocket): Transport {
  return new EmitterTransport(socket)
}

class EmitterTransport implements Transport {
  readonly #socket: EmitterSocket
  readonly #inbox = new Inbox()
  /** Where parts are joined; the next ones go here too, once the network has taken these. */
  #joined: Uint8Array | undefined

  constructor(socket: EmitterSocket) {
    this.#socket = socket
    socket.on('message', (data, isBinary) => {
      if (isBinary && data instanceof Uint8Array) this.#inbox.message(data)
      else this.#inbox.text()
    })
    // An error is always followed by a close, which says all there is to say.
    socket.on('error', () => {})
    socket.on('close', (code, reason) => this.#inbox.closed({ code, reason: decoder.decode(reason) }))
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers)
  }

  send(message: Uint8Array): void {
    this.#socket.send(message)
  }

  sendParts(head: Uint8Array, content: Uint8Array): void {
    const size = head.length + content.length
    if (size > LARGEST_DATA_FRAME) throw new RangeError(`Expected at most ${LARGEST_DATA_FRAME} bytes, got ${size}.`)
    const joined = (this.#joined ??= new Uint8Array(LARGEST_DATA_FRAME))
    joined.set(head)
    joined.set(content, head.length)
    this.#socket.send(joined.subarray(0, size))
    // The socket still reads from it.
    if (this.#socket.bufferedAmount > 0) this.#joined = undefined
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, cutReason(reason))
  }

  terminate(): void {
    this.#socket.terminate()
  }
}
