import { CmdopError, createWebSocketTransport, type Transport, type WebSocketLike } from '@cmdop/protocol'

/** The part of a WebSocket that is needed until it is open. */
export interface OpeningWebSocket extends WebSocketLike {
  onopen: ((event: never) => void) | null
}

/** A transport once the socket is open. Throws `connection` when it does not open, or what the signal aborts with. */
export function whenOpen(socket: OpeningWebSocket, signal: AbortSignal): Promise<Transport> {
  const opened = Promise.withResolvers<Transport>()
  const failed = (cause: unknown) => opened.reject(notOpened(cause))
  const stop = () => {
    opened.reject(signal.reason)
    socket.close()
  }
  signal.addEventListener('abort', stop, { once: true })
  socket.onerror = failed
  socket.onclose = failed
  if (signal.aborted) stop()
  // The transport must listen before the event ends, so that the relay's first message is not missed.
  socket.onopen = () => {
    signal.removeEventListener('abort', stop)
    opened.resolve(createWebSocketTransport(socket))
  }
  return opened.promise
}

/** A socket that did not open. */
export function notOpened(cause: unknown): CmdopError {
  return new CmdopError('connection', 'The relay cannot be reached, or does not take WebSockets.', {
    cause,
    idempotent: true,
  })
}
