import { expect, test } from 'vitest'
import { killBetweenIntentAndOutcome } from './audit-kills.ts'
import { startWorld } from './world.ts'

test('after each of 200 kills of the relay the audit log verifies, and no intent is without an outcome', async () => {
  await using world = await startWorld({ separateProcesses: true })
  expect(await killBetweenIntentAndOutcome(world, 200)).toBeGreaterThan(200)
})
