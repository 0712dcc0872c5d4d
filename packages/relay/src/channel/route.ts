import {
  CONTROL_LANE,
  CmdopError,
  dataCost,
  decodeReset,
  decodeWindow,
  type Frame,
  frameTypes,
  MAX_DATA_BYTES,
  MAX_WINDOW,
} from '@cmdop/protocol'
import type { Meter } from './input-meter.ts'
import type { Peer } from './peer.ts'

/** One end of a forwarded channel. The two ends point at each other. */
export interface RouteEnd {
  readonly peer: Peer
  readonly channel: number
  /** The other end; absent until the call was allowed. */
  other: RouteEnd | undefined
  /** Bytes that may still be sent to this end: what it granted, less what was forwarded. */
  credit: number
  /** Set when the call is allowed: whether this end may send content. */
  mayInput: boolean
  /** This end has said that it sends no more. */
  ended: boolean
  /** The channel is over, and nothing may be joined to it any more. */
  closed: boolean
  /** Of an end that asked for the channel: what for. */
  method: string | undefined
  /** Called once, with the machine's trailer or why there is none. */
  settled: ((outcome: Uint8Array | CmdopError) => void) | undefined
  /** Counts the content that this end sends. */
  meter: Meter | undefined
}

/** A new end with the credit that its `open` grants. */
export function createRouteEnd(peer: Peer, channel: number, credit: number): RouteEnd {
  const nothing = { other: undefined, method: undefined, settled: undefined, meter: undefined }
  return { ...nothing, peer, channel, credit, mayInput: true, ended: false, closed: false }
}

/**
 * Passes a frame on to the other end of its channel, under that end's id, without looking inside. Credit is counted
 * here too, so that no end can make the relay hold more for the other than that one asked for.
 */
export function forwardFrame(from: RouteEnd, frame: Frame, message: Uint8Array): void {
  const to = from.other
  if (frame.type === frameTypes.window) grant(from, decodeWindow(frame.payload))
  if (to === undefined) return receiveEarly(from, frame)
  if (frame.type === frameTypes.data) {
    assertInput(from, frame.payload)
    spend(to, frame.payload.length)
    if (from.meter !== undefined && frame.payload[0] !== CONTROL_LANE) from.meter.add(frame.payload.length - 1)
  }
  if (frame.type === frameTypes.end) from.ended = true
  to.peer.forward(message, to.channel)
  if (frame.type === frameTypes.reset) closeRoute(from, decodeReset(frame.payload))
  else if (frame.type === frameTypes.end) settleEnd(from, to, frame.payload)
}

/** Ends a channel for both ends, telling each why. */
export function resetRoute(end: RouteEnd, error: CmdopError): void {
  for (const side of [end, end.other]) side?.peer.sendReset(side.channel, error)
  closeRoute(end, error)
}

/** Forgets a channel without a word. */
export function closeRoute(end: RouteEnd, outcome: Uint8Array | CmdopError): void {
  end.peer.drop(end.channel)
  end.other?.peer.drop(end.other.channel)
  for (const side of [end, end.other]) {
    if (side === undefined) continue
    side.closed = true
    side.settled?.(outcome)
    side.settled = undefined
  }
}

/** What may come while the call is being decided: credit, the end of an empty stdin, or a change of mind. */
function receiveEarly(from: RouteEnd, frame: Frame): void {
  if (frame.type === frameTypes.end) from.ended = true
  else if (frame.type === frameTypes.reset) closeRoute(from, new CmdopError('cancelled', 'The caller gave up.'))
  else if (frame.type !== frameTypes.window) throw new CmdopError('flow_control', 'Nothing was granted yet.')
}

/** A machine refuses it too; here it does not even get there. */
function assertInput(from: RouteEnd, payload: Uint8Array): void {
  if (payload.length > MAX_DATA_BYTES + 1)
    throw new CmdopError('frame_too_large', `Expected at most ${MAX_DATA_BYTES} bytes in one frame.`)
  if (from.mayInput || payload[0] === CONTROL_LANE) return
  throw new CmdopError('permission', 'Expected no input on this channel: an observer does not type.')
}

function grant(end: RouteEnd, bytes: number): void {
  end.credit += bytes
  if (end.credit > MAX_WINDOW) throw new CmdopError('flow_control', `Expected at most ${MAX_WINDOW} bytes of credit.`)
}

function spend(to: RouteEnd, payloadBytes: number): void {
  to.credit -= dataCost(payloadBytes)
  if (to.credit < 0) throw new CmdopError('flow_control', 'The peer sent more than it was granted.')
}

function settleEnd(from: RouteEnd, to: RouteEnd, trailer: Uint8Array): void {
  from.settled?.(trailer)
  from.settled = undefined
  if (to.ended) closeRoute(from, trailer)
}
