import { array, assert, asyncProperty, integer, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Blobs } from './blobs.ts'

/** Contents under test; disposing of it removes them. */
export interface BlobsWorld extends AsyncDisposable {
  readonly blobs: Blobs
  /** The same contents, as another relay or a later one sees them. */
  reopen(): Blobs
}

let made = 0
const newName = () => `rec_blob-${(made += 1)}`

/** What every implementation of the port does. `open` gives a new, empty one each time. */
export function describeBlobs(name: string, open: () => Promise<BlobsWorld>): void {
  describe(name, () => {
    test('gives back what was appended, whole and in parts, also to another relay', async () => {
      await using world = await open()
      const blob = newName()
      expect(await world.blobs.append(blob, 0, Buffer.from('hello '))).toBe(6)
      expect(await world.blobs.append(blob, 6, Buffer.from('world'))).toBe(11)
      const other = world.reopen()
      expect(await other.size(blob)).toBe(11)
      expect(Buffer.from(await other.read(blob, 0, 100)).toString()).toBe('hello world')
      expect(Buffer.from(await other.read(blob, 4, 3)).toString()).toBe('o w')
      expect(await other.read(blob, 11, 5)).toHaveLength(0)
      expect(await other.read(blob, 99, 5)).toHaveLength(0)
    })

    test('has nothing of a name that was never written', async () => {
      await using world = await open()
      const blob = newName()
      expect(await world.blobs.size(blob)).toBe(0)
      expect(await world.blobs.read(blob, 0, 5)).toHaveLength(0)
      expect(await world.blobs.append(blob, 0, new Uint8Array(0))).toBe(0)
    })

    test('refuses a gap with `conflict` and the length that is stored, and stores nothing of it', async () => {
      await using world = await open()
      const blob = newName()
      await world.blobs.append(blob, 0, Buffer.from('abc'))
      const refused = { code: 'conflict', details: { storedBytes: 3 } }
      await expect(world.blobs.append(blob, 4, Buffer.from('x'))).rejects.toMatchObject(refused)
      expect(await world.blobs.size(blob)).toBe(3)
    })

    test('keeps what is stored when a piece comes again, or others at its place', async () => {
      await using world = await open()
      const blob = newName()
      await world.blobs.append(blob, 0, Buffer.from('abcdef'))
      expect(await world.blobs.append(blob, 0, Buffer.from('abc'))).toBe(6)
      expect(await world.blobs.append(blob, 3, Buffer.from('XXXgh'))).toBe(8)
      expect(Buffer.from(await world.blobs.read(blob, 0, 9)).toString()).toBe('abcdefgh')
    })

    test('stores a content once, however its pieces are cut, repeated and sent to two relays at once', async () => {
      await using world = await open()
      const relays = [world.blobs, world.reopen()]
      const piece = record({ back: integer({ min: 0, max: 40 }), length: integer({ min: 1, max: 60 }) })
      await assert(
        asyncProperty(array(piece, { maxLength: 12 }), async (pieces) => {
          const blob = newName()
          const content = Buffer.from(Array.from({ length: 800 }, (_, index) => (index * 7919) % 251))
          let sent = 0
          for (const { back, length } of pieces) {
            const offset = Math.max(0, sent - back)
            const data = content.subarray(offset, offset + length)
            const stored = await Promise.all(relays.map((relay) => relay.append(blob, offset, data)))
            sent = Math.max(sent, offset + data.length)
            expect(stored).toEqual([sent, sent])
          }
          expect(Buffer.from(await world.blobs.read(blob, 0, 9999))).toEqual(content.subarray(0, sent))
        }),
        { numRuns: 25 },
      )
    })

    test('takes many pieces of one content at once, in the order in which they were sent', async () => {
      await using world = await open()
      const blob = newName()
      const appended = Array.from({ length: 50 }, (_, index) => world.blobs.append(blob, index * 2, Buffer.from('ab')))
      await Promise.all(appended)
      expect(Buffer.from(await world.blobs.read(blob, 0, 999)).toString()).toBe('ab'.repeat(50))
    })

    test('takes no name that leads elsewhere', async () => {
      await using world = await open()
      for (const name of ['../rec_12345678', 'a/b/c/d', '', '..', 'rec_\0xxxxxxx'])
        await expect(world.blobs.append(name, 0, Buffer.from('x'))).rejects.toMatchObject({ code: 'server' })
    })
  })
}
