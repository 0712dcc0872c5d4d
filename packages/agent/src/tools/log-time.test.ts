import { expect, test } from 'vitest'
import { parseMoment, timeOfLine } from './log-time.ts'

const now = Date.parse('2026-02-03T04:05:06Z')

test.each([
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02 03:04:05', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02', '2026-01-02T00:00:00.000Z'],
  ['15m', '2026-02-03T03:50:06.000Z'],
  ['-2h', '2026-02-03T02:05:06.000Z'],
  ['1d ago', '2026-02-02T04:05:06.000Z'],
  ['yesterday evening', undefined],
])('the moment %s is %s', (text, expected) => {
  const moment = parseMoment(text, now)
  expect(moment === undefined ? undefined : new Date(moment).toISOString()).toBe(expected)
})

test.each([
  ['2026-01-02T03:04:05.123+02:00 web-1 started', '2026-01-02T01:04:05.123Z'],
  ['2026-01-02 03:04:05,123 ERROR x', '2026-01-02T03:04:05.123Z'],
  ['2026/01/02 03:04:05 [error] 7#7: x', '2026-01-02T03:04:05.000Z'],
  ['10.0.0.1 - - [02/Jan/2026:03:04:05 +0100] "GET /"', '2026-01-02T02:04:05.000Z'],
  ['Jan  2 03:04:05 web-1 sshd[7]: x', '2026-01-02T03:04:05.000Z'],
  ['Dec 31 23:59:59 web-1 sshd[7]: x', '2025-12-31T23:59:59.000Z'],
  ['[1767323045.5] x', '2026-01-02T03:04:05.500Z'],
  ['    at Object.<anonymous> (file.js:1:2)', undefined],
])('the line %s is of %s', (line, expected) => {
  const time = timeOfLine(line, now)
  expect(time === undefined ? undefined : new Date(time).toISOString()).toBe(expected)
})
