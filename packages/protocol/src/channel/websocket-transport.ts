import { cutReason } from './close-reason.ts'
import { Inbox } from './inbox.ts'
import type { Transport, TransportHandlers } from './transport.ts'

/**
 * The part of the platform's WebSocket that a transport needs; undici's, a browser's and `ws` all have it.
 * The socket must be open and deliver binary messages as `ArrayBuffer`.
 */
export interface WebSocketLike {
  binaryType: string
  readonly bufferedAmount: number
  send(data: Uint8Array): void
  close(code?: number, reason?: string): void
  /** `ws` only: ends the socket without a closing handshake. */
  terminate?(): void
  /** Only assigned. Unknown, because each of the three has a type of its own for what it calls them with. */
  onmessage: unknown
  onclose: unknown
  onerror: unknown
}

/** A transport over a WebSocket that has just opened; made in its `open` event, it misses nothing. A message is one frame. */
export function createWebSocketTransport(socket: WebSocketLike): Transport {
  const inbox = new Inbox()
  socket.binaryType = 'arraybuffer'
  listen(socket, inbox)
  return {
    start: (handlers) => inbox.start(handlers),
    send: (message) => socket.send(message),
    close: (code, reason) => socket.close(isAllowedCode(code) ? code : 4000, cutReason(reason)),
    terminate: () => (socket.terminate === undefined ? socket.close(4000, 'terminated') : socket.terminate()),
    get bufferedBytes() {
      return socket.bufferedAmount
    },
  }
}

/* oxlint-disable unicorn/prefer-add-event-listener -- one listener of each; the smallest interface that all three share */
function listen(socket: WebSocketLike, handlers: TransportHandlers): void {
  socket.onmessage = (event: { data: unknown }) => {
    if (event.data instanceof ArrayBuffer) handlers.message(new Uint8Array(event.data))
    else handlers.text()
  }
  // An error is always followed by a close, which says all there is to say.
  socket.onerror = () => {}
  socket.onclose = (event: { code: number; reason: string }) =>
    handlers.closed({ code: event.code, reason: event.reason })
}
/* oxlint-enable unicorn/prefer-add-event-listener */

/** The platform's WebSocket takes only 1000 and the private codes from a script. */
function isAllowedCode(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999)
}
