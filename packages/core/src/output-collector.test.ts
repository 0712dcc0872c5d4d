import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutputCollector } from './output-collector.ts'

const collect = (limit: number, pieces: readonly Uint8Array[]) => {
  const collector = new OutputCollector(limit)
  for (const piece of pieces) collector.add(piece)
  return collector.finish()
}
const bytes = (text: string) => new TextEncoder().encode(text)

describe('collected output', () => {
  test('is head and tail of the whole, however it comes', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 40 })
    fc.assert(
      fc.property(fc.nat({ max: 300 }), pieces, (limit, given) => {
        const whole = Buffer.concat(given)
        const { data, truncated } = collect(limit, given)
        const head = Math.ceil(limit / 2)
        const tail = Math.floor(limit / 2)
        const expected =
          whole.length <= limit ? whole : Buffer.concat([whole.subarray(0, head), whole.subarray(whole.length - tail)])
        expect(truncated).toBe(whole.length > limit)
        expect(Buffer.compare(data, expected)).toBe(0)
      }),
    )
  })

  test('keeps no more than its limit needs', () => {
    const collector = new OutputCollector(1000)
    for (let count = 0; count < 10_000; count += 1) collector.add(new Uint8Array(10_000).fill(count))
    expect(collector.finish()).toMatchObject({ truncated: true })
    expect(collector.finish().data).toHaveLength(1000)
  })

  test('that is cut says so in its text, and a letter that is cut is U+FFFD', () => {
    expect(collect(6, [bytes('äöü')]).text).toBe('äöü')
    expect(collect(6, [bytes('aäöüxx')]).text).toBe('aä\n[... 3 of 9 bytes left out ...]\n\uFFFDxx')
    expect(collect(0, [bytes('abc')]).text).toBe('\n[... 3 of 3 bytes left out ...]\n')
  })

  test('of nothing is empty', () => {
    expect(collect(10, [])).toEqual({ text: '', data: new Uint8Array(0), truncated: false })
  })
})
