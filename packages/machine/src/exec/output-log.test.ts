import { MAX_WINDOW } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutputLog, READ_AHEAD_BYTES } from './output-log.ts'

const bytes = (count: number, value = 0) => new Uint8Array(count).fill(value)

/** Everything from `offset` on, as a sender reads it. */
function rest(log: OutputLog, offset: number): { lane: number; byte: number }[] {
  const read: { lane: number; byte: number }[] = []
  for (let at = offset; ;) {
    const piece = log.at(at)
    if (piece === undefined) return read
    expect(piece.offset).toBe(at)
    read.push(...Array.from(piece.data, (byte) => ({ lane: piece.lane, byte })))
    at += piece.data.length
  }
}

describe('the log of a command’s output', () => {
  test('gives everything from any offset on, with its lanes', () => {
    const pieces = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ minLength: 1, maxLength: 9 })), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(pieces, fc.nat(), (given, point) => {
        const log = new OutputLog()
        for (const [lane, data] of given) log.append(lane, data)
        const all = given.flatMap(([lane, data]) => Array.from(data, (byte) => ({ lane, byte })))
        const offset = point % (all.length + 1)
        expect(log.end).toBe(all.length)
        expect(log.has(offset)).toBe(true)
        expect(log.has(all.length + 1)).toBe(false)
        expect(rest(log, offset)).toEqual(all.slice(offset))
      }),
    )
  })

  test('keeps as much as can be under way, and not everything', () => {
    const log = new OutputLog()
    for (let count = 0; count < 2000; count += 1) log.append(1, bytes(16_384, count % 256))
    const { end } = log
    expect(log.has(end - MAX_WINDOW - READ_AHEAD_BYTES)).toBe(true)
    expect(log.has(end - 4 * MAX_WINDOW)).toBe(false)
    expect(log.has(0)).toBe(false)
    const offset = end - MAX_WINDOW + 5
    expect(log.at(offset)?.data[0]).toBe(Math.floor(offset / 16_384) % 256)
  })

  test('that is empty has its beginning', () => {
    const log = new OutputLog()
    expect(log.has(0)).toBe(true)
    expect(log.has(1)).toBe(false)
    expect(log.at(0)).toBeUndefined()
  })
})
