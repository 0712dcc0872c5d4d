import { expect, test } from 'vitest'
import { cutReason } from './close-reason.ts'

test.each([
  ['auth: No.', 'auth: No.'],
  ['x'.repeat(124), 'x'.repeat(123)],
  ['é'.repeat(62), 'é'.repeat(61)],
  ['😀'.repeat(31), '😀'.repeat(30)],
])('A reason is cut to 123 bytes, between characters: %s', (reason, cut) => {
  expect(cutReason(reason)).toBe(cut)
})
