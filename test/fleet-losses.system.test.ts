import { test } from 'vitest'
import { loseMachines } from './fleet-losses.ts'

test('machines that are killed or stopped under a run are named, in time, and the others answer', async () => {
  await loseMachines({ machines: 24, killed: 2, stopped: 1, timeoutMs: 4000 })
}, 120_000)
