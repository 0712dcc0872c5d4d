import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { boundedText } from './bounded-text.ts'

test('text within the limit is shown whole', () => {
  const text = 'é'.repeat(8)
  expect(boundedText(Buffer.from(text), 16, 16)).toMatchObject({ text, truncated: false, shownBytes: 16 })
})

test('terminal colours and control characters do not reach the model', () => {
  expect(boundedText(Buffer.from('\u001b[31mred\u001b[0m\u0007'), 13, 100).text).toBe('red\uFFFD')
})

test('a cut never splits a character, shows no more than the limit, and counts every byte', () => {
  const texts = fc
    .string({ unit: 'grapheme-composite', minLength: 1, maxLength: 200 })
    .filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 100 }), (text, limit) => {
      const data = Buffer.from(text.replace(/[\p{Cc}\uFFFD]/gu, '.'))
      const shown = boundedText(data, data.length, limit)
      expect(shown.shownBytes).toBeLessThanOrEqual(Math.max(limit, 0))
      expect(shown.text).not.toContain('\uFFFD')
      const [, left = '0'] = /\[\.\.\. (\d+) of \d+ bytes/.exec(shown.text) ?? []
      if (shown.truncated) expect(Number(left) + shown.shownBytes).toBe(data.length)
    }),
  )
})
