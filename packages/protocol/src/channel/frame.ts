import { CmdopError, fromWireError, toWireError, WireError } from '../errors.ts'
import { MAX_FRAME_BYTES, MAX_TRAILER_BYTES, MIN_DATA_COST } from './limits.ts'

/**
 * The frames of `cmdop.channel.v1`. A frame is one binary WebSocket message:
 *
 *     type u8 · channel u32 big-endian · payload
 *
 * - `hello`  both ways, first, channel 0: JSON {@link Hello}
 * - `open`   opens a channel: JSON {@link Open}. Who dialled uses odd ids, the other side even ones, each rising.
 * - `data`   `lane u8 · bytes`: lane 0 is JSON control, the others belong to the method. Costs credit.
 * - `window` u32: bytes of credit granted to the other side. The first one accepts the channel.
 * - `end`    this side sends no more; optional JSON trailer (the result).
 * - `reset`  the channel is over for both sides at once; JSON {@link WireError}.
 * - `ping`, `pong`  channel 0; a pong repeats the ping's payload, 16 bytes at most.
 */
export const frameTypes = { hello: 1, open: 2, data: 3, window: 4, end: 5, reset: 6, ping: 7, pong: 8 } as const
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes]

/** Bytes in front of every payload. */
export const FRAME_HEADER_BYTES = 5

/** The subprotocol that both sides name when the WebSocket is opened. */
export const CHANNEL_SUBPROTOCOL = 'cmdop.channel.v1'

/** One decoded frame; `payload` is a view into the message, not a copy. */
export interface Frame {
  readonly type: FrameType
  readonly channel: number
  readonly payload: Uint8Array
}

const LAST_TYPE = frameTypes.pong
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** One message of the wire. Throws `frame_too_large` for what no peer would take. */
export function encodeFrame(type: FrameType, channel: number, payload: Uint8Array): Uint8Array {
  const frame = startFrame(type, channel, payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** A data frame, written once: header, lane and content. */
export function encodeData(channel: number, lane: number, content: Uint8Array): Uint8Array {
  const frame = startFrame(frameTypes.data, channel, content.length + 1)
  frame[FRAME_HEADER_BYTES] = lane
  frame.set(content, FRAME_HEADER_BYTES + 1)
  return frame
}

/** What stands in front of the content of a data frame: header and lane. */
export function encodeDataHead(channel: number, lane: number): Uint8Array {
  const head = startFrame(frameTypes.data, channel, 1)
  head[FRAME_HEADER_BYTES] = lane
  return head
}

/** A window frame that grants `bytes` of credit. */
export function encodeWindow(channel: number, bytes: number): Uint8Array {
  const frame = startFrame(frameTypes.window, channel, 4)
  writeUint32(frame, FRAME_HEADER_BYTES, bytes)
  return frame
}

/** A frame whose payload is JSON. */
export function encodeJson(type: FrameType, channel: number, value: unknown): Uint8Array {
  return encodeFrame(type, channel, encoder.encode(JSON.stringify(value)))
}

/** A reset frame that says why. Details that are no JSON, or do not fit {@link MAX_TRAILER_BYTES}, are left out. */
export function encodeReset(channel: number, error: CmdopError): Uint8Array {
  const wire = toWireError(error)
  const whole = encodeError(wire)
  if (whole !== undefined) return encodeFrame(frameTypes.reset, channel, whole)
  // 2,000 characters fit, however they are escaped.
  return encodeJson(frameTypes.reset, channel, { ...wire, message: wire.message.slice(0, 2000), details: {} })
}

/** Takes a message apart. Throws `frame_too_large`, or `protocol` for what is no frame of ours. */
export function decodeFrame(message: Uint8Array): Frame {
  if (message.length > MAX_FRAME_BYTES) throw tooLarge(message.length)
  const type = message[0]
  if (type === undefined || message.length < FRAME_HEADER_BYTES) {
    throw new CmdopError('protocol', `Expected a frame of at least ${FRAME_HEADER_BYTES} bytes, got ${message.length}.`)
  }
  if (!isFrameType(type)) throw new CmdopError('protocol', `Expected a known frame type, got ${type}.`)
  return { type, channel: readUint32(message, 1), payload: message.subarray(FRAME_HEADER_BYTES) }
}

/** The JSON of a payload. Throws `protocol` when it is not UTF-8 or not JSON. */
export function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(payload))
  } catch (cause) {
    throw new CmdopError('protocol', 'Expected the payload of the frame to be JSON in UTF-8.', { cause })
  }
}

/** The error of a reset frame: `protocol` when it is not readable, for there is nothing more to reset. Never throws. */
export function decodeReset(payload: Uint8Array): CmdopError {
  const reason = payload.length > MAX_TRAILER_BYTES ? undefined : WireError.safeParse(tryJson(payload)).data
  if (reason === undefined) return new CmdopError('protocol', 'The peer reset the channel without a readable reason.')
  return fromWireError(reason, { idempotent: reason.retryable })
}

/** The credit that a window frame grants. Throws `protocol` when the payload has another size or grants nothing. */
export function decodeWindow(payload: Uint8Array): number {
  const bytes = payload.length === 4 ? readUint32(payload, 0) : 0
  if (bytes === 0) throw new CmdopError('protocol', 'Expected a window frame to grant credit in four bytes.')
  return bytes
}

/** The credit that a data frame with this payload (lane and content) costs; both sides count the same. */
export function dataCost(payloadBytes: number): number {
  return Math.max(FRAME_HEADER_BYTES + payloadBytes, MIN_DATA_COST)
}

/** Undefined for what cannot be sent. */
function encodeError(error: WireError): Uint8Array | undefined {
  try {
    const payload = encoder.encode(JSON.stringify(error))
    return payload.length > MAX_TRAILER_BYTES ? undefined : payload
  } catch {
    return undefined
  }
}

function tryJson(payload: Uint8Array): unknown {
  try {
    return decodeJson(payload)
  } catch {
    return undefined
  }
}

function startFrame(type: FrameType, channel: number, payloadBytes: number): Uint8Array {
  const size = FRAME_HEADER_BYTES + payloadBytes
  if (size > MAX_FRAME_BYTES) throw tooLarge(size)
  const frame = new Uint8Array(size)
  frame[0] = type
  writeUint32(frame, 1, channel)
  return frame
}

function isFrameType(value: number): value is FrameType {
  return value >= frameTypes.hello && value <= LAST_TYPE
}

function tooLarge(bytes: number): CmdopError {
  return new CmdopError('frame_too_large', `Expected a frame of at most ${MAX_FRAME_BYTES} bytes, got ${bytes}.`)
}

/** Writes a u32 in network byte order at `at`; also how the relay gives a forwarded frame its new channel. */
export function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = (value >>> 16) & 0xff
  target[at + 2] = (value >>> 8) & 0xff
  target[at + 3] = value & 0xff
}

function readUint32(source: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [source[at], source[at + 1], source[at + 2], source[at + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
