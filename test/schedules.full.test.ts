import { test } from 'vitest'
import { killRelayUnderSchedule } from './schedule-kills.ts'

test('every second for 60 s over 20 machines: each result once, with the relay killed and started again', async () => {
  await killRelayUnderSchedule({ seconds: 60, machines: 20, awayMs: 4000 })
}, 900_000)
