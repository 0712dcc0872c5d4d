import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeptOutput } from './kept-output.ts'
import { createOutputShelf } from './output-shelf.ts'

test('head and tail are those of the whole, and a part is what stood there, or nothing', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 40 }), fc.nat(200), (parts, half, offset) => {
      const kept = new KeptOutput(2 * half)
      for (const part of parts) kept.add(Buffer.from(part))
      const whole = Buffer.concat(parts)
      const isWhole = whole.length <= 2 * half
      expect(kept.total).toBe(whole.length)
      expect(kept.data()).toEqual(isWhole ? whole : Buffer.concat([whole.subarray(0, half), whole.subarray(-half)]))
      const part = kept.part(offset, 7)
      const [from, to] = kept.gap
      if (offset >= whole.length || (offset >= from && offset < to)) expect(part).toBeUndefined()
      else expect(whole.subarray(offset, offset + (part?.data.length ?? 0))).toEqual(part?.data)
    }),
  )
})

test('a shelf forgets the oldest outputs, so that its memory is bounded', () => {
  const shelf = createOutputShelf()
  for (let call = 1; call <= 10; call++) shelf.place(`c${call}`, 'stdout').add(Buffer.alloc(1_000_000))
  expect(shelf.get('c1', 'stdout')).toBeUndefined()
  expect(shelf.get('c10', 'stdout')?.total).toBe(1_000_000)
  expect(shelf.names('c10')).toEqual(['stdout'])
})
