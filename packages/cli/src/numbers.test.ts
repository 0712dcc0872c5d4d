import { expect, test } from 'vitest'
import { parseBytes, parseDuration, parseSpan } from './numbers.ts'

const day = 86_400_000

test.each([
  ['500ms', 500],
  ['30', 30_000],
  ['1.5h', 5_400_000],
  ['7d', 7 * day],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
  expect(parseSpan(text)).toBe(ms)
})

test('what the relay counts may be longer than a timer here', () => {
  expect([parseSpan('30d'), parseSpan('720h')]).toEqual([30 * day, 30 * day])
  expect(() => parseDuration('30d')).toThrow('Expected a duration of at most 24d, got "30d".')
})

test.each(['', '0', '5x', '-1s', 'd'])('%j is no duration', (text) => {
  expect(() => parseSpan(text)).toThrow('Expected a duration such as 500ms, 30s, 5m, 2h or 7d')
})

test('bytes are a number, or one with a unit', () => {
  expect([parseBytes('--max-bytes', '16384'), parseBytes('--max-bytes', '512M')]).toEqual([16_384, 536_870_912])
  for (const wrong of ['0', '1.5M', '1X', '', '9999999999t'])
    expect(() => parseBytes('--max-bytes', wrong)).toThrow('Expected --max-bytes to be bytes such as')
})
