/** Why a transport closed; `code` is a WebSocket close code. */
export interface TransportClose {
  readonly code: number
  readonly reason: string
}

/** What a transport tells its user. `closed` comes exactly once, and nothing comes after it. */
export interface TransportHandlers {
  message(message: Uint8Array): void
  /** A message that is not binary; the user of the transport decides. */
  text(): void
  closed(close: TransportClose): void
}

/**
 * Carries whole messages both ways, in order. It buffers what the peer has not read and says how much;
 * bounding that is the job of credit windows, and of closing a peer that ignores them.
 */
export interface Transport {
  /** Begins delivery. Called once, before `send`. */
  start(handlers: TransportHandlers): void
  /** Takes ownership of the message. After the close it does nothing. */
  send(message: Uint8Array): void
  /**
   * Sends one message made of two parts, which stay the caller's: for content that only passes through. Absent where it
   * would save nothing.
   */
  sendParts?(head: Uint8Array, content: Uint8Array): void
  /** Ends the transport; messages already sent are delivered first. */
  close(code: number, reason: string): void
  /** Ends it at once, delivering nothing more; for a peer that does not read. */
  terminate(): void
  /** Bytes that are sent and not yet taken by the network. */
  readonly bufferedBytes: number
}
