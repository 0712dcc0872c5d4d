import { expect, test } from 'vitest'
import { interleave } from './fleet-interleavings.ts'

test('however people, machines and relay meet, an abort wins, nothing runs twice or unapproved, and no run is stuck', async () => {
  const ends = await interleave(5, { restarts: 1 })
  expect(Array.from(ends.values()).reduce((sum, count) => sum + count, 0)).toBe(5)
})
