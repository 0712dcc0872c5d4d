import { expect, test } from 'vitest'
import { interleave } from './fleet-interleavings.ts'

test('in 300 orders of people, machines and relay an abort wins, nothing runs twice or unapproved, and no run is stuck', async () => {
  const ends = await interleave(300, { restarts: 30 })
  expect(Array.from(ends.values()).reduce((sum, count) => sum + count, 0)).toBe(300)
  // Every way to end is among them.
  expect(Array.from(ends.keys()).sort()).toEqual(['cancelled', 'denied', 'whole'])
}, 1_800_000)
