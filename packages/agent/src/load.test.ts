import { expect, test } from 'vitest'
import { manyRuns } from './testing/many-runs.ts'

test('four runs side by side, each with 5 MB of output and 10,000 lines of thinking, lose nothing', async () => {
  const { thinkingLines, outputBytes } = await manyRuns(4, { outputBytes: 5_000_000, lines: 10_000 })
  expect({ thinkingLines, outputBytes }).toEqual({ thinkingLines: 40_000, outputBytes: 20_000_000 })
})
