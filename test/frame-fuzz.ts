import {
  CHANNEL_SUBPROTOCOL,
  encodeData,
  encodeFrame,
  encodeJson,
  encodeWindow,
  FRAME_HEADER_BYTES,
  frameTypes,
  MAX_WINDOW,
  MIN_WINDOW,
} from '@cmdop/protocol'
import * as fc from 'fast-check'
import { WebSocket } from 'ws'
import type { World } from './world.ts'

/** Frames of a batch: all on one connection, until something closes it. */
const FRAMES = 10

/** Payload of the ping after a batch. */
const LAST = Buffer.from('last')

/** Makes the frame for the channels that are opened so far; each `open` takes the next one. */
type Step = (channels: { opened: number }) => Uint8Array

/** Ten frames: what a client may send, with contents that are mostly wrong, and as the last one anything. */
export function frameBatch(call: fc.Arbitrary<object>): fc.Arbitrary<Uint8Array[]> {
  const bytes = fc.uint8Array({ maxLength: 200 })
  const wild = fc.jsonValue({ maxDepth: 2 })
  const open: fc.Arbitrary<Step> = fc
    .record({
      call: fc.oneof({ weight: 9, arbitrary: call }, wild),
      window: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: MIN_WINDOW, max: MAX_WINDOW }) }, wild),
      more: fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, fc.dictionary(fc.string(), wild, { maxKeys: 2 })),
    })
    .map(({ call: given, window, more }) => (channels) => {
      channels.opened += 1
      const isCall = typeof given === 'object' && given !== null && !Array.isArray(given)
      const payload = isCall ? { window, ...given, ...more } : given
      return encodeJson(frameTypes.open, 2 * channels.opened - 1, payload)
    })
  const onLast = (frame: (channel: number) => Uint8Array, back = 0): Step => {
    return ({ opened }) => frame(Math.max(1, 2 * opened - 1 - back))
  }
  const payload = fc.oneof(bytes, jsonBytes(wild))
  const ending = fc.constantFrom(frameTypes.end, frameTypes.reset)
  const ping: fc.Arbitrary<Step> = fc
    .uint8Array({ maxLength: 16 })
    .map((data) => () => encodeFrame(frameTypes.ping, 0, data))
  // What ends one channel at most: the frames after it are looked at, too.
  const allowed: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: open },
    fc.tuple(fc.nat({ max: 5 }), bytes).map(([lane, data]) => onLast((channel) => encodeData(channel, lane, data))),
    fc.integer({ min: 1, max: MIN_WINDOW }).map((credit) => onLast((channel) => encodeWindow(channel, credit))),
    fc.tuple(ending, payload).map(([type, reason]) => onLast((channel) => encodeFrame(type, channel, reason))),
    ping,
  )
  const anything: fc.Arbitrary<Step> = fc.oneof(
    allowed,
    bytes.map((data) => () => data),
    fc
      .tuple(fc.constantFrom(...Object.values(frameTypes)), payload, fc.nat({ max: 5 }))
      .map(([type, data, back]) => onLast((channel) => encodeFrame(type, channel, data), back)),
    fc.tuple(fc.constantFrom(...Object.values(frameTypes)), fc.nat(), payload).map(([type, channel, data]) => {
      return () => encodeFrame(type, channel, data)
    }),
    fc.tuple(allowed, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([step, at, by]) => changed(step, at, by)),
  )
  return fc
    .tuple(open, fc.array(allowed, { minLength: FRAMES - 2, maxLength: FRAMES - 2 }), anything)
    .map(([first, steps, last]) => {
      const channels = { opened: 0 }
      return [first, ...steps, last].map((step) => step(channels))
    })
}

/** The frame with other bits in one of its bytes. */
function changed(step: Step, at: number, by: number): Step {
  return (channels) => {
    const frame = step(channels)
    frame.set([(frame[at % frame.length] ?? 0) ^ by], at % frame.length)
    return frame
  }
}

function jsonBytes(values: fc.Arbitrary<unknown>): fc.Arbitrary<Uint8Array> {
  return values.map((value) => Buffer.from(JSON.stringify(value)))
}

/**
 * Sends them on a connection of its own, with a good key and a good hello. Gives what the relay said until it was over, which the
 * relay may have been the first to say.
 */
export async function sendFrames(world: World, batch: readonly Uint8Array[]): Promise<string> {
  const socket = new WebSocket(`${world.relay.url.replace('http', 'ws')}/api/channel`, CHANNEL_SUBPROTOCOL, {
    headers: { authorization: `Bearer ${world.relay.firstKey}` },
  })
  const said: string[] = []
  const over = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  socket.on('message', (data: Buffer) => {
    said.push(data.toString('latin1'))
    if (data[0] === frameTypes.pong && data.subarray(FRAME_HEADER_BYTES).equals(LAST)) socket.close()
  })
  socket.on('error', () => {})
  socket.on('close', (_code, reason) => {
    said.push(reason.toString('latin1'))
    ready.resolve()
    over.resolve()
  })
  socket.on('open', () => ready.resolve())
  await ready.promise
  const hello = encodeJson(frameTypes.hello, 0, { version: 1 })
  // Frames are taken in order: its pong comes when all of them were looked at.
  const last = encodeFrame(frameTypes.ping, 0, LAST)
  for (const frame of [hello, ...batch, last]) if (socket.readyState === WebSocket.OPEN) socket.send(frame)
  await over.promise
  return said.join('')
}
