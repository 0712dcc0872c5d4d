import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_WINDOW } from './limits.ts'
import { ResendBuffer } from './resend-buffer.ts'

const bytes = (count: number, value = 0) => new Uint8Array(count).fill(value)

/** Everything from `offset` on, as a sender reads it. */
function rest(log: ResendBuffer, offset: number): { lane: number; byte: number }[] {
  const read: { lane: number; byte: number }[] = []
  for (let at = offset; ;) {
    const piece = log.at(at)
    if (piece === undefined) return read
    expect(piece.offset).toBe(at)
    read.push(...Array.from(piece.data, (byte) => ({ lane: piece.lane, byte })))
    at += piece.data.length
  }
}

describe('a buffer for resending', () => {
  test('gives everything from any offset on, with its lanes', () => {
    const pieces = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ minLength: 1, maxLength: 9 })), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(pieces, fc.nat(), (given, point) => {
        const log = new ResendBuffer()
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

  test.each([1, 100, 8192, 65_536])(
    'keeps what can be under way of pieces of %i bytes, and no more than that',
    (size) => {
      const log = new ResendBuffer()
      // Twice what is kept, counted by its cost.
      const count = Math.ceil((2 * MAX_WINDOW) / Math.max(size + 6, 128))
      for (let index = 0; index < count; index += 1) {
        log.append(1, bytes(size, index % 256))
        log.sentUpTo(log.end)
      }
      const kept = Math.floor(MAX_WINDOW / Math.max(size + 6, 128)) * size
      expect(log.has(log.end - kept)).toBe(true)
      expect(log.has(log.end - kept - 2 * size)).toBe(false)
    },
  )

  test('keeps everything that was not sent', () => {
    const log = new ResendBuffer()
    for (let index = 0; index < 100; index += 1) log.append(1, bytes(65_536))
    log.sentUpTo(65_536)
    expect(log.has(0)).toBe(true)
    expect(log.costFrom(65_536)).toBe(99 * (65_536 + 6))
    expect(log.costFrom(log.end)).toBe(0)
  })

  test('takes a million pieces of one byte in bounded time and memory', () => {
    const log = new ResendBuffer()
    const one = bytes(1)
    const before = process.memoryUsage().heapUsed
    const startedAt = performance.now()
    for (let index = 0; index < 1_000_000; index += 1) {
      log.append(1, one)
      log.sentUpTo(log.end)
    }
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 * 1024)
  })

  test('that is empty has its beginning', () => {
    const log = new ResendBuffer()
    expect(log.has(0)).toBe(true)
    expect(log.has(1)).toBe(false)
    expect(log.at(0)).toBeUndefined()
  })

  test('keeps large pieces in blocks that it uses again, each as it was given for as long as it is kept', () => {
    const log = new ResendBuffer()
    const sizes = [65_536, 40_000, 65_536, 100, 65_536]
    const kept: number[] = []
    const blocks = new Set<ArrayBufferLike>()
    for (let count = 0; count < 500; count += 1) {
      const given = bytes(sizes[count % sizes.length] ?? 0, count % 251)
      log.append(1, given)
      // Whoever gave a large one may use it again.
      if (given.length > 100) given.fill(255)
      kept.push(count)
      const data = log.at(log.end - given.length)?.data ?? bytes(0)
      if (given.length > 100) blocks.add(data.buffer)
      if (kept.length <= 8) continue
      const lengths = kept.map((each) => sizes[each % sizes.length] ?? 0)
      let at = log.end - lengths.reduce((sum, length) => sum + length, 0)
      for (const [index, length] of lengths.entries()) {
        expect(Buffer.compare(log.at(at)?.data ?? bytes(0), bytes(length, (kept[index] ?? 0) % 251))).toBe(0)
        at += length
      }
      kept.splice(0, 4)
      log.takenUpTo(log.end - kept.reduce((sum, each) => sum + (sizes[each % sizes.length] ?? 0), 0))
    }
    expect(blocks.size).toBeLessThanOrEqual(9)
  })
})
