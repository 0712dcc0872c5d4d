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

/** Bytes that are held back for one write to the kernel, at most. */
const WRITE_BYTES = 8 * LARGEST_DATA_FRAME

const decoder = new TextDecoder()

/**
 * A transport over a `ws` socket, without the cost of DOM events. Made in its `open` event, it misses nothing. Given the stream below
 * the socket, frames of one turn of the event loop are written together.
 */
export function createEmitterTransport(socket: EmitterSocket, stream?: CorkedStream): Transport {
  return new EmitterTransport(socket, stream)
}

class EmitterTransport implements Transport {
  readonly #socket: EmitterSocket
  readonly #stream: CorkedStream | undefined
  readonly #inbox = new Inbox()
  /** Where parts are joined, and how much of it is taken. */
  #joined: Uint8Array | undefined
  #taken = 0

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
    if (this.#stream !== undefined) holdForTurn(this.#stream)
    this.#socket.send(message)
    if (this.#stream !== undefined && this.#socket.bufferedAmount >= WRITE_BYTES) releaseHeld(this.#stream)
  }

  sendParts(head: Uint8Array, content: Uint8Array): void {
    const size = head.length + content.length
    if (size > LARGEST_DATA_FRAME) throw new RangeError(`Expected at most ${LARGEST_DATA_FRAME} bytes, got ${size}.`)
    const joined = this.#room(size)
    joined.set(head)
    joined.set(content, head.length)
    this.send(joined)
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

  /** Room for a frame, in a buffer that is used again once the network has taken all that is in it. */
  #room(size: number): Uint8Array {
    if (this.#joined === undefined || this.#taken + size > this.#joined.length) {
      if (this.#stream !== undefined) releaseHeld(this.#stream)
      if (this.#joined === undefined || this.#socket.bufferedAmount > 0) this.#joined = new Uint8Array(WRITE_BYTES)
      this.#taken = 0
    } else if (this.#socket.bufferedAmount === 0) this.#taken = 0
    this.#taken += size
    return this.#joined.subarray(this.#taken - size, this.#taken)
  }
}
