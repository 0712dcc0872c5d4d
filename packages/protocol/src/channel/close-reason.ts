const MAX_REASON_BYTES = 123
const encoder = new TextEncoder()

/** A reason as a WebSocket takes it: 123 bytes of UTF-8 at most (RFC 6455, 5.5); a socket throws for a longer one. */
export function cutReason(reason: string): string {
  return reason.slice(0, encoder.encodeInto(reason, new Uint8Array(MAX_REASON_BYTES)).read)
}
