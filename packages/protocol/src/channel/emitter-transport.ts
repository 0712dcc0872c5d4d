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

const decoder = new TextDecoder()

/** A transport over a `ws` socket, without the cost of DOM events: for relay and machine. */
export function createEmitterTransport(socket: EmitterSocket): Transport {
  return new EmitterTransport(socket)
}

class EmitterTransport implements Transport {
  readonly #socket: EmitterSocket

  constructor(socket: EmitterSocket) {
    this.#socket = socket
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  start(handlers: TransportHandlers): void {
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary && data instanceof Uint8Array) handlers.message(data)
      else handlers.text()
    })
    // An error is always followed by a close, which says all there is to say.
    this.#socket.on('error', () => {})
    this.#socket.on('close', (code, reason) => handlers.closed({ code, reason: decoder.decode(reason) }))
  }

  send(message: Uint8Array): void {
    this.#socket.send(message)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, 120))
  }

  terminate(): void {
    this.#socket.terminate()
  }
}
