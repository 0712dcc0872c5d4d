import { expect, test } from 'vitest'
import { killBetweenIntentAndOutcome } from './audit-kills.ts'
import { startWorld } from './world.ts'

test('after each of 10 kills of the relay the audit log verifies, and no intent is without an outcome', async () => {
  await using world = await startWorld({ separateProcesses: true })
  expect(await killBetweenIntentAndOutcome(world, 10)).toBeGreaterThan(10)
})
