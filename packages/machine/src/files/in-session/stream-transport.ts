import type { Readable, Writable } from 'node:stream'
import { MAX_FRAME_BYTES, type Transport, type TransportClose, type TransportHandlers } from '@cmdop/protocol'

/** Bytes in front of each message: how long it is, big-endian. */
const HEAD_BYTES = 4

/** What a transport is made of. Who is given them owns them. */
export interface StreamPair {
  readonly input: Readable
  readonly output: Writable
}

/**
 * A transport over a pair of byte streams, such as the pipes of a process. The other end learns that it is closed, and not why.
 * A message that is over the limit closes it before any of it is kept.
 */
export function createStreamTransport(streams: StreamPair): Transport {
  return new StreamTransport(streams)
}

class StreamTransport implements Transport {
  readonly #input: Readable
  readonly #output: Writable
  readonly #messages = new MessageReader()
  #handlers: TransportHandlers | undefined

  constructor({ input, output }: StreamPair) {
    this.#input = input
    this.#output = output
  }

  get bufferedBytes(): number {
    return this.#output.writableLength
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers
    const lost = (error?: Error) => this.#end({ code: 1006, reason: error?.message ?? '' })
    this.#output.on('error', lost)
    this.#input.on('error', lost)
    this.#input.on('close', lost)
    this.#input.on('end', lost)
    this.#input.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  send(message: Uint8Array): void {
    if (this.#handlers === undefined || this.#output.destroyed) return
    const head = Buffer.allocUnsafe(HEAD_BYTES)
    head.writeUInt32BE(message.length)
    this.#output.cork()
    this.#output.write(head)
    this.#output.write(message)
    this.#output.uncork()
  }

  close(code: number, reason: string): void {
    this.#output.end()
    queueMicrotask(() => this.#end({ code, reason }))
  }

  terminate(): void {
    this.#output.destroy()
    this.#input.destroy()
    queueMicrotask(() => this.#end({ code: 1006, reason: 'terminated' }))
  }

  #receive(chunk: Buffer): void {
    try {
      this.#messages.take(chunk, (message) => this.#handlers?.message(message))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#end({ code: 1009, reason: `protocol: ${error.message}` })
    }
  }

  #end(close: TransportClose): void {
    const handlers = this.#handlers
    if (handlers === undefined) return
    this.#handlers = undefined
    this.#output.end()
    // What still comes is read and dropped, so that whoever writes it comes to its end.
    this.#input.removeAllListeners('data').resume()
    handlers.closed(close)
  }
}

/** Cuts a stream of bytes into messages. It holds one of them at most. */
class MessageReader {
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #headFilled = 0
  #message: Buffer | undefined
  #filled = 0

  /** Gives the messages that end in this chunk. Throws a `RangeError` for one that is too large. */
  take(chunk: Buffer, found: (message: Uint8Array) => void): void {
    for (let rest = chunk; rest.length > 0;) {
      const length = this.#nextLength()
      if (length === undefined) rest = rest.subarray(this.#addHead(rest))
      else if (this.#message === undefined && rest.length >= length) {
        this.#headFilled = 0
        found(rest.subarray(0, length))
        rest = rest.subarray(length)
      } else {
        const message = (this.#message ??= Buffer.allocUnsafeSlow(length))
        const taken = rest.copy(message, this.#filled)
        this.#filled += taken
        rest = rest.subarray(taken)
        if (this.#filled === length) found(this.#finish(message))
      }
    }
  }

  #addHead(chunk: Buffer): number {
    const taken = chunk.copy(this.#head, this.#headFilled)
    this.#headFilled += taken
    return taken
  }

  #nextLength(): number | undefined {
    if (this.#headFilled < HEAD_BYTES) return undefined
    const length = this.#head.readUInt32BE()
    if (length > 0 && length <= MAX_FRAME_BYTES) return length
    throw new RangeError(`Expected a message of 1 to ${MAX_FRAME_BYTES} bytes, got ${length}.`)
  }

  #finish(message: Buffer): Buffer {
    this.#headFilled = 0
    this.#message = undefined
    this.#filled = 0
    return message
  }
}
