import { cutReason } from './close-reason.ts'
import { Inbox } from './inbox.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'
import { MAX_DATA_BYTES } from './limits.ts'
import type { Transport, TransportHandlers } from './transport.ts'
import { type CorkedStream, holdForTurn, releaseHeld } from './turn-writes.ts'

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

/** Bytes of a frame up to which it waits for others of the same turn of the event loop. */
const SMALL_FRAME = 4096

const decoder = new TextDecoder()

/**
 * A transport over a `ws` socket, without the cost of DOM events. Made in its `open` event, it misses nothing. Given the stream below
 * the socket, small frames of one turn of the event loop are written together.
 */
export function createEmitterTransport(socket: EmitterSocket, stream?: CorkedStream): Transport {
  return new EmitterTransport(socket, stream)
}

class EmitterTransport implements Transport {
  readonly #socket: EmitterSocket
  readonly #stream: CorkedStream | undefined
  readonly #inbox = new Inbox()
  /** Where parts are joined; the next ones go here too, once the network has taken these. */
  #joined: Uint8Array | undefined

  constructor(socket: EmitterSocket, stream: CorkedStream | undefined) {
    this.#socket = socket
    this.#stream = stream
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
    this.#hold(message.length)
    this.#socket.send(message)
  }

  sendParts(head: Uint8Array, content: Uint8Array): void {
    const size = head.length + content.length
    if (size > LARGEST_DATA_FRAME) throw new RangeError(`Expected at most ${LARGEST_DATA_FRAME} bytes, got ${size}.`)
    this.#hold(size)
    // What is held back keeps its bytes.
    const joined = this.#isHeld(size) ? new Uint8Array(size) : (this.#joined ??= new Uint8Array(LARGEST_DATA_FRAME))
    joined.set(head)
    joined.set(content, head.length)
    this.#socket.send(joined.subarray(0, size))
    // The socket still reads from it.
    if (joined === this.#joined && this.#socket.bufferedAmount > 0) this.#joined = undefined
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, cutReason(reason))
    // The process may end before this turn does.
    if (this.#stream !== undefined) releaseHeld(this.#stream)
  }

  terminate(): void {
    if (this.#stream !== undefined) releaseHeld(this.#stream)
    this.#socket.terminate()
  }

  #isHeld(bytes: number): boolean {
    return this.#stream !== undefined && bytes <= SMALL_FRAME
  }

  #hold(bytes: number): void {
    if (this.#stream === undefined) return
    if (this.#isHeld(bytes)) holdForTurn(this.#stream)
    else releaseHeld(this.#stream)
  }
}
