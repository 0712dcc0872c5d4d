import type { AskWireFrame } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameLog } from './frame-log.ts'

const frame = (content: string): AskWireFrame => ({
  type: 'event',
  event: 'thinking',
  event_type: 3,
  payload: { content },
})

const never = new AbortController().signal

async function numbersAfter(log: FrameLog, number: number, count = Number.POSITIVE_INFINITY): Promise<number[]> {
  const numbers: number[] = []
  for await (const line of log.after(number, never)) {
    numbers.push(line.number)
    log.sent(line)
    if (numbers.length === count) break
  }
  return numbers
}

describe('the frames of an ask', () => {
  test('are read from any cut without loss or repetition, also while they come', async () => {
    const cuts = fc.asyncProperty(fc.nat(30), fc.array(fc.nat(5), { maxLength: 12 }), async (count, parts) => {
      const log = new FrameLog()
      const written = (async () => {
        for (let number = 1; number <= count; number += 1) await log.append(frame(String(number)))
        log.end(frame('end'))
      })()
      const seen: number[] = []
      for (const part of parts) seen.push(...(await numbersAfter(log, seen.length, part + 1)))
      seen.push(...(await numbersAfter(log, seen.length)))
      await written
      expect(seen).toEqual(Array.from({ length: count + 1 }, (_, index) => index + 1))
    })
    await fc.assert(cuts, { numRuns: 100 })
  })

  test('wait for a reader that is slow, and are bounded', async () => {
    const log = new FrameLog()
    let appended = 0
    const writing = (async () => {
      for (; appended < 100; appended += 1) await log.append(frame('x'.repeat(100_000)))
      log.end(frame('end'))
    })()
    await new Promise((resolve) => setImmediate(resolve))
    expect(appended).toBeLessThan(10)
    expect(await numbersAfter(log, 0)).toHaveLength(101)
    await writing
    expect(log.has(0)).toBe(false)
    expect(log.has(90)).toBe(true)
    expect(log.has(102)).toBe(false)
  })

  test('wait for nobody once nobody will read', async () => {
    const log = new FrameLog()
    log.abandon()
    for (let count = 0; count < 100; count += 1) await log.append(frame('x'.repeat(100_000)))
    expect(log.has(0)).toBe(false)
    expect(log.has(100)).toBe(true)
  })
})
