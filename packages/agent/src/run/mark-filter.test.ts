import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MARK_BYTES, MarkFilter } from './mark-filter.ts'

const begin = '\x1b]5379;aa;'

/** What is left of pieces, and the marks in them. */
function filtered(pieces: readonly Uint8Array[]) {
  const marks: string[] = []
  const filter = new MarkFilter(begin, (text) => void marks.push(text))
  const shown = [...pieces.map((piece) => filter.push(piece)), filter.end()]
  return { text: Buffer.concat(shown).toString(), marks, removedBytes: filter.removedBytes }
}

test('marks are taken out wherever the output is cut', () => {
  const word = fc.constantFrom('text', '\x1b', '\x1b]5379;', 'a', '\x07', `${begin}0;/usr\x07`)
  fc.assert(
    fc.property(fc.array(word), fc.array(fc.nat({ max: 12 })), (words, cuts) => {
      const data = Buffer.from(words.join(''))
      const pieces: Uint8Array[] = []
      let at = 0
      for (const length of cuts) pieces.push(data.subarray(at, (at += length)))
      pieces.push(data.subarray(at))
      const { text, marks, removedBytes } = filtered(pieces)
      const mark = `${begin}0;/usr\x07`
      expect(text).toBe(data.toString().replaceAll(mark, ''))
      expect(marks).toEqual(
        data
          .toString()
          .split(mark)
          .slice(1)
          .map(() => '0;/usr'),
      )
      expect(removedBytes).toBe(marks.length * mark.length)
    }),
  )
})

test('a mark that does not end, or is too long, is output', () => {
  const long = `${begin}${'x'.repeat(MARK_BYTES)}\x07`
  expect(filtered([Buffer.from(long)])).toEqual({ text: long, marks: [], removedBytes: 0 })
  expect(filtered([Buffer.from(`${begin}0;/usr`)])).toEqual({ text: `${begin}0;/usr`, marks: [], removedBytes: 0 })
})

test('what cannot be a mark is shown at once', () => {
  const filter = new MarkFilter(begin, () => {})
  expect(filter.push(Buffer.from('text\x1b')).toString()).toBe('text')
  expect(filter.push(Buffer.from('[m')).toString()).toBe('\x1b[m')
})
