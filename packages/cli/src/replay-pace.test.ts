import { expect, test } from 'vitest'
import { createPace } from './replay-pace.ts'

const times = [0, 0.5, 0.5, 10, 10.25]
const due = (speed: number, idleLimitMs = Number.POSITIVE_INFINITY) => times.map(createPace({ speed, idleLimitMs }))

test('a replay keeps the times of the recording', () => {
  expect(due(1)).toEqual([0, 500, 500, 10_000, 10_250])
})

test('a replay that is faster shortens all of them', () => {
  expect(due(4)).toEqual([0, 125, 125, 2500, 2562.5])
})

test('a pause is at most as long as the idle limit, which the speed shortens too', () => {
  expect(due(1, 1000)).toEqual([0, 500, 500, 1500, 1750])
  expect(due(2, 1000)).toEqual([0, 250, 250, 750, 875])
})

test('times that go back hold nothing up', () => {
  const pace = createPace({ speed: 1, idleLimitMs: 1000 })
  expect([5, 1, 5.1].map(pace)).toEqual([1000, 1000, expect.closeTo(1100)])
})
