import * as fc from 'fast-check'
import { SNAPSHOT_HEADER_BYTES } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { SnapshotReader } from './snapshot-reader.ts'

function snapshotMessage(text: Uint8Array, offset: number): Uint8Array {
  const message = new Uint8Array(SNAPSHOT_HEADER_BYTES + text.length)
  const view = new DataView(message.buffer)
  view.setBigUint64(0, BigInt(offset))
  view.setUint32(8, text.length)
  view.setUint16(12, 132)
  view.setUint16(14, 43)
  message.set(text, SNAPSHOT_HEADER_BYTES)
  return message
}

test('a snapshot is whole however its message is cut, and so is the next one', () => {
  const text = fc.uint8Array({ maxLength: 200 })
  const offset = fc.integer({ min: 0, max: 2 ** 52 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, offset), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 40 }),
      (all, step) => {
        const reader = new SnapshotReader()
        for (const [data, at] of all) {
          const message = snapshotMessage(data, at)
          for (let from = 0; from < message.length; from += step) {
            const snapshot = reader.take(message.subarray(from, from + step))
            if (from + step < message.length) expect(snapshot).toBeUndefined()
            else expect(snapshot).toEqual({ data, size: { columns: 132, rows: 43 }, offset: at })
          }
        }
      },
    ),
  )
})

test('one that is longer than it says, or longer than any screen, is refused', () => {
  const message = snapshotMessage(new Uint8Array(10), 0)
  expect(() => new SnapshotReader().take(Buffer.concat([message, Buffer.from('x')]))).toThrow(
    expect.objectContaining({ code: 'protocol' }),
  )
  new DataView(message.buffer).setUint32(8, 0xff_ff_ff_ff)
  expect(() => new SnapshotReader().take(message)).toThrow(expect.objectContaining({ code: 'protocol' }))
})
