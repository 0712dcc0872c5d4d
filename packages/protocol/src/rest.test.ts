import { expect, test } from 'vitest'
import { OFFLINE_AFTER_MS, presenceOf, SUSPECT_AFTER_MS } from './rest.ts'

const now = 1_000_000

test.each([
  [true, 0, 'online'],
  [true, SUSPECT_AFTER_MS - 1, 'online'],
  [true, SUSPECT_AFTER_MS, 'suspect'],
  [true, OFFLINE_AFTER_MS - 1, 'suspect'],
  [true, OFFLINE_AFTER_MS, 'offline'],
  [true, null, 'offline'],
  [true, -1000, 'online'],
  [false, 0, 'suspect'],
  [false, SUSPECT_AFTER_MS, 'suspect'],
  [false, OFFLINE_AFTER_MS - 1, 'suspect'],
  [false, OFFLINE_AFTER_MS, 'offline'],
  [false, null, 'offline'],
] as const)('A machine that is connected (%s) and was heard %s ms ago is %s', (connected, ageMs, presence) => {
  const lastSeenAt = ageMs === null ? null : now - ageMs
  expect(presenceOf({ connected, lastSeenAt, now })).toBe(presence)
})
