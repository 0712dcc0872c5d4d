import { CmdopError, Notification, NOTIFICATION_HEADERS, notificationText } from '@cmdop/protocol'

/** How old a notification may be, in milliseconds, unless chosen: what somebody has overheard is not sent again later. */
const DEFAULT_TOLERANCE_MS = 300_000

/** How to verify. */
export interface VerifyNotificationOptions {
  /** Of the webhook. */
  readonly secret: string
  /** Milliseconds that its time may be off. Default: five minutes. */
  readonly toleranceMs?: number
  /** Milliseconds since 1970. Default: now. */
  readonly now?: number
}

/** Headers of a request, by their names in small letters. */
export type RequestHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The notification that a generic webhook got, once it is certain that the relay has sent it just now. `body`: exactly as it came, not
 * parsed and written again. Throws `auth` for one that was changed, is too old, or is of somebody else.
 */
export async function verifyNotification(
  body: string,
  headers: RequestHeaders,
  { secret, toleranceMs = DEFAULT_TOLERANCE_MS, now = Date.now() }: VerifyNotificationOptions,
): Promise<Notification> {
  const timestamp = headerOf(headers, NOTIFICATION_HEADERS.timestamp)
  const signature = /^v1=([0-9a-f]{64})$/.exec(headerOf(headers, NOTIFICATION_HEADERS.signature))?.[1]
  if (!/^\d{1,12}$/.test(timestamp) || signature === undefined)
    throw new CmdopError('auth', 'This is no notification of a relay: its headers are missing.')
  if (!(await isSigned({ secret, signature, text: notificationText(timestamp, body) })))
    throw new CmdopError('auth', 'The notification was changed, or is signed with another secret.')
  if (Math.abs(now - Number(timestamp) * 1000) > toleranceMs)
    throw new CmdopError('auth', 'The notification is too old; check the clocks of relay and receiver.')
  return Notification.parse(JSON.parse(body))
}

/** Compares in constant time. */
async function isSigned({
  secret,
  signature,
  text,
}: Record<'secret' | 'signature' | 'text', string>): Promise<boolean> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['verify'])
  return await crypto.subtle.verify('HMAC', key, bytesOf(signature), encoder.encode(text))
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function headerOf(headers: RequestHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  return typeof value === 'string' ? value : ''
}
