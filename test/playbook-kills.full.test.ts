import { expect, test } from 'vitest'
import { killPlaybooks } from './playbook-kills.ts'

test('50 playbooks whose scripts are killed at random moments, up to three times each, have done each step and each rollback once and in order', async () => {
  const { kills, undoing } = await killPlaybooks(50)
  expect(kills).toBeGreaterThan(25)
  expect(undoing).toBeGreaterThan(0)
}, 3_600_000)
