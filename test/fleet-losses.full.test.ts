import { test } from 'vitest'
import { loseMachines } from './fleet-losses.ts'

test('of 200 machines 20 are killed and 10 stopped under a run: the report names exactly those, in time, and 170 answer', async () => {
  await loseMachines({ machines: 200, killed: 20, stopped: 10, timeoutMs: 20_000 })
}, 600_000)
