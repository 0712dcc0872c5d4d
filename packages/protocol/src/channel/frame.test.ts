import { describe, expect, test } from 'vitest'
import { checkFrameRoundTrip, checkGarbage } from './testing/channel-properties.ts'
import { CmdopError } from '../errors.ts'
import {
  dataCost,
  decodeFrame,
  decodeJson,
  decodeReset,
  decodeWindow,
  encodeData,
  encodeFrame,
  encodeReset,
  encodeWindow,
  frameTypes,
  writeUint32,
} from './frame.ts'
import { MAX_FRAME_BYTES, MAX_TRAILER_BYTES, MIN_DATA_COST } from './limits.ts'

describe('a frame', () => {
  test('is decoded as it was encoded', () => {
    checkFrameRoundTrip(500)
  })

  test('never makes the decoder throw anything but an error of ours', () => {
    checkGarbage(500)
  })

  test('is type, channel in network byte order, and payload', () => {
    expect([...encodeFrame(frameTypes.ping, 0x01020304, Uint8Array.of(9))]).toEqual([7, 1, 2, 3, 4, 9])
    expect([...encodeData(0xfffefdfc, 2, Uint8Array.of(8, 9))]).toEqual([3, 255, 254, 253, 252, 2, 8, 9])
    expect([...encodeWindow(1, 0x80000001)]).toEqual([4, 0, 0, 0, 1, 128, 0, 0, 1])
  })

  test('shares its payload with the message', () => {
    const message = encodeFrame(frameTypes.ping, 0, Uint8Array.of(1))
    expect(decodeFrame(message).payload.buffer).toBe(message.buffer)
  })

  test('is given another channel in place', () => {
    const message = encodeFrame(frameTypes.data, 5, Uint8Array.of(1, 2))
    writeUint32(message, 1, 0xdeadbeef)
    expect(decodeFrame(message)).toMatchObject({ channel: 0xdeadbeef, payload: Uint8Array.of(1, 2) })
  })

  test('fills its limit and not one byte more, both ways', () => {
    const largest = encodeFrame(frameTypes.data, 1, new Uint8Array(MAX_FRAME_BYTES - 5))
    expect(decodeFrame(largest).payload).toHaveLength(MAX_FRAME_BYTES - 5)
    expect(() => encodeFrame(frameTypes.data, 1, new Uint8Array(MAX_FRAME_BYTES - 4))).toThrow(
      expect.objectContaining({ code: 'frame_too_large' }),
    )
    const tooLarge = new Uint8Array(MAX_FRAME_BYTES + 1).fill(3)
    expect(() => decodeFrame(tooLarge)).toThrow(expect.objectContaining({ code: 'frame_too_large' }))
  })

  test.each([[[]], [[3]], [[3, 0, 0, 0]], [[0, 0, 0, 0, 0]], [[9, 0, 0, 0, 0]], [[255, 0, 0, 0, 0]]])(
    'is refused when it is too short or of an unknown type: %j',
    (bytes) => {
      expect(() => decodeFrame(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'protocol' }))
    },
  )
})

describe('a payload', () => {
  test.each([[[]], [[0, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 1, 0]]])('grants nothing with the bytes %j', (bytes) => {
    expect(() => decodeWindow(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'protocol' }))
  })

  test('grants up to four bytes of credit', () => {
    expect(decodeWindow(decodeFrame(encodeWindow(1, 0xffffffff)).payload)).toBe(0xffffffff)
  })

  test.each([[[0xff]], [[0x7b]], [[]], [[0x22, 0xc3, 0x22]]])('is no JSON with the bytes %j', (bytes) => {
    expect(() => decodeJson(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'protocol' }))
  })

  test('costs its frame, and a small one the least', () => {
    expect(dataCost(1)).toBe(MIN_DATA_COST)
    expect(dataCost(MIN_DATA_COST - 5)).toBe(MIN_DATA_COST)
    expect(dataCost(MIN_DATA_COST - 4)).toBe(MIN_DATA_COST + 1)
    expect(dataCost(65_537)).toBe(encodeData(1, 1, new Uint8Array(65_536)).length)
  })
})

describe('a reset', () => {
  test('carries code, message, details, request id and whether a retry can help', () => {
    const error = new CmdopError('connection', 'Gone.', { idempotent: true, details: { a: 1 }, requestId: 'req_1' })
    const { code, message, details, requestId, retryable } = decodeReset(decodeFrame(encodeReset(1, error)).payload)
    expect({ code, message, details, requestId, retryable }).toEqual({
      code: 'connection',
      message: 'Gone.',
      details: { a: 1 },
      requestId: 'req_1',
      retryable: true,
    })
  })

  test.each([
    ['too large', { listing: 'x'.repeat(MAX_TRAILER_BYTES) }],
    ['no JSON', { size: 1n }],
  ])('leaves out details that are %s', (_what, details) => {
    const { payload } = decodeFrame(encodeReset(1, new CmdopError('conflict', 'No.', { details })))
    expect(decodeReset(payload)).toMatchObject({ code: 'conflict', message: 'No.', details: {} })
  })

  test('stays within its limit with the longest message', () => {
    const { payload } = decodeFrame(encodeReset(1, new CmdopError('conflict', '\0'.repeat(100_000))))
    expect(payload.length).toBeLessThanOrEqual(MAX_TRAILER_BYTES)
    expect(decodeReset(payload)).toMatchObject({ code: 'conflict' })
  })

  test.each(['', '{}', 'nonsense', `"${'x'.repeat(MAX_TRAILER_BYTES)}"`])(
    'without a readable reason says so: %.20s',
    (text) => {
      expect(decodeReset(new TextEncoder().encode(text))).toMatchObject({ code: 'protocol' })
    },
  )
})
