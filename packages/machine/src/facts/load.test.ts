import { expect, test } from 'vitest'
import { parseLoadavg, readLoad } from './load.ts'

test('the three averages are the first three columns', () => {
  expect(parseLoadavg('0.50 1.25 12.00 2/85 4030\n')).toEqual({ one: 0.5, five: 1.25, fifteen: 12 })
})

test('a file with fewer averages is null', () => {
  expect(parseLoadavg('0.50 1.25\n')).toBeNull()
})

test('Windows has none, which is an answer of its own and not three zeros', async () => {
  const source = { platform: 'win32', procRoot: '/proc', signal: AbortSignal.timeout(5_000), report: () => {} } as const
  await expect(readLoad(source)).rejects.toThrow('Windows keeps no load averages')
})
