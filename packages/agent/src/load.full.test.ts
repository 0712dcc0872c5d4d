import { expect, test } from 'vitest'
import { manyRuns } from './testing/many-runs.ts'

/** What one run may hold at its most, with 5 MB of output and 10,000 lines of thinking. */
const bytesPerRun = 3 * 1024 * 1024

test('300 runs in one process, each with 5 MB of output and 10,000 lines of thinking, hold at most 3 MiB each', async () => {
  await manyRuns(5, { outputBytes: 5_000_000, lines: 10_000 })
  const { thinkingLines, outputBytes, heldBytes } = await manyRuns(300, { outputBytes: 5_000_000, lines: 10_000 })
  expect({ thinkingLines, outputBytes }).toEqual({ thinkingLines: 3_000_000, outputBytes: 1_500_000_000 })
  expect(heldBytes / 300, `${(heldBytes / 300 / 1024 / 1024).toFixed(2)} MiB for each run`).toBeLessThan(bytesPerRun)
})
