import * as fc from 'fast-check'
import { outcomes, type OutcomeName } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { createFailureLimit } from './failure-limit.ts'
import { type WaveSize, waveSizes } from './wave-sizes.ts'

test.each<[total: number, sizes: WaveSize[], waves: number[]]>([
  [10, [1, '25%'], [1, 2, 2, 2, 2, 1]],
  [200, [1, '25%', '100%'], [1, 50, 149]],
  [3, ['1%'], [1, 1, 1]],
  [3, [5], [3]],
  [0, [1], []],
  [5, [0], [1, 1, 1, 1, 1]],
])('%i machines in waves of %j are %j', (total, sizes, waves) => {
  expect(waveSizes(total, sizes)).toEqual(waves)
})

test.each(['101%', '-1%', 'five', '5 %', '%', '1e1%', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  'a wave of %s is refused',
  (size) => {
    expect(() => waveSizes(10, [size as WaveSize])).toThrow(expect.objectContaining({ code: 'validation' }))
  },
)

const percents = fc.integer({ min: 0, max: 100 }).map((percent): `${number}%` => `${percent}%`)
const sizes = fc.oneof(fc.integer({ min: 0, max: 300 }), percents)

test('every machine is in one wave, and no wave is empty or larger than it was told to be', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.array(sizes, { minLength: 1, maxLength: 6 }), (total, wanted) => {
      const waves = waveSizes(total, wanted)
      expect(waves.reduce((sum, size) => sum + size, 0)).toBe(total)
      for (const [index, size] of waves.entries()) {
        const told = wanted[index] ?? wanted.at(-1) ?? 0
        const most = typeof told === 'number' ? told : (total * Number.parseInt(told, 10)) / 100
        expect(size).toBeGreaterThan(0)
        expect(size).toBeLessThanOrEqual(Math.max(1, most))
      }
    }),
  )
})

test('a run stops when its failures are more than maxFailures, of which percentages are of all, rounded down', () => {
  const names = fc.constantFrom(...(Object.keys(outcomes) as OutcomeName[]))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), sizes, fc.array(names, { maxLength: 300 }), (total, max, ended) => {
      const limit = createFailureLimit(total, max)
      let failures = 0
      for (const outcome of ended) {
        limit.count(outcome)
        if (!['ok', 'skipped', 'cancelled'].includes(outcome)) failures += 1
        const counted = typeof max === 'number' ? max : Math.floor((Number.parseInt(max, 10) * total) / 100)
        expect(limit.exceeded).toBe(failures > counted)
      }
    }),
  )
  expect(createFailureLimit(50, '5%')).toMatchObject({ max: 2, exceeded: false })
})

test('without maxFailures no failure stops a run', () => {
  const limit = createFailureLimit(1, undefined)
  for (let count = 0; count < 1000; count += 1) limit.count('failed')
  expect(limit.exceeded).toBe(false)
})
