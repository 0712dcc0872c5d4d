import { expect, test } from 'vitest'
import { killScripts } from './fleet-kills.ts'

test('a script that is killed at any moment is gone on with, and no machine runs the command twice', async () => {
  const { resumed } = await killScripts(8)
  expect(resumed).toBeGreaterThan(0)
}, 60_000)
