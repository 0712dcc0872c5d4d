import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseProcessStat } from './process-stat.ts'
import { findBusiest } from './processes.ts'

const fields = '1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 9000 1000000 512 18446744073709551615 1 1 0\n'

test('times and memory are found behind any name', () => {
  const expected = { pid: 42, ticks: 300, startTicks: 9000, residentPages: 512 }
  expect(parseProcessStat(`42 (node) S ${fields}`)).toEqual(expected)
  expect(parseProcessStat(`42 (a) S 1 (b c) S ${fields}`)).toEqual(expected)
})

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseProcessStat(text) === null))
})

test('the busiest come first, then the largest, and only time between the samples counts', () => {
  const stat = (pid: number, ticks: number, residentPages: number) => ({ pid, ticks, startTicks: 1, residentPages })
  const before = { atMs: 1_000, stats: [stat(1, 90_000, 1), stat(2, 0, 10), stat(3, 0, 20), stat(4, 900, 5)] }
  const reused = { ...stat(4, 10, 5), startTicks: 7 }
  const after = { atMs: 1_500, stats: [stat(1, 90_025, 1), stat(2, 0, 10), stat(3, 0, 20), reused] }
  expect(findBusiest(before, after)).toEqual([
    { pid: 1, cpuPercent: 50 },
    { pid: 4, cpuPercent: 20 },
    { pid: 3, cpuPercent: 0 },
    { pid: 2, cpuPercent: 0 },
  ])
})
