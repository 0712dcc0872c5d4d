import { expect, test } from 'vitest'
import { killPlaybooks } from './playbook-kills.ts'

test('a playbook whose script is killed at any moment is gone on with: each step, and what undoes it, runs once and in order', async () => {
  const { kills } = await killPlaybooks(4)
  expect(kills).toBeGreaterThan(0)
}, 120_000)
