import { array, assert, nat, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { OutputTail } from './output-tail.ts'

test('keeps the end, whatever pieces it comes in', () => {
  assert(
    property(array(uint8Array({ maxLength: 40 })), nat(60), (pieces, limit) => {
      const ascii = pieces.map((piece) => piece.map((byte) => 0x20 + (byte % 90)))
      const tail = new OutputTail(limit)
      for (const piece of ascii) tail.add(piece)
      const all = Buffer.concat(ascii)
      expect(tail.text()).toBe(all.subarray(Math.max(0, all.length - limit)).toString())
      expect(tail.bytes).toBe(all.length)
      expect(tail.isTruncated).toBe(all.length > limit)
    }),
  )
})

test('cuts no character in two, and holds nothing that a database does not keep', () => {
  const tail = new OutputTail(7)
  tail.add(Buffer.from('äöü€\0'))
  expect(tail.text()).toBe('ü€\u{fffd}')
})

test('many short lines take no more memory than twice what is kept', () => {
  const tail = new OutputTail(16_384)
  const line = Buffer.from('a short line of an output\n')
  const count = 400_000
  for (let added = 0; added < count; added += 1) tail.add(line)
  expect(tail.bytes).toBe(count * line.length)
  expect(tail.heldBytes).toBeLessThanOrEqual(2 * 16_384)
  expect(tail.text()).toBe(line.toString().repeat(700).slice(-16_384))
})
