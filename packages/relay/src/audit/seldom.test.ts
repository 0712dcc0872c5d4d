import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Seldom } from './seldom.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what comes again and again is due once a minute, each by itself, and no more than ten thousand are remembered', () => {
  const seldom = new Seldom()
  expect([seldom.isDue('a'), seldom.isDue('a'), seldom.isDue('b')]).toEqual([true, false, true])
  vi.advanceTimersByTime(59_999)
  expect(seldom.isDue('a')).toBe(false)
  vi.advanceTimersByTime(1)
  expect([seldom.isDue('a'), seldom.isDue('a')]).toEqual([true, false])
  seldom.forget('a')
  expect(seldom.isDue('a')).toBe(true)
  for (let count = 0; count < 9_999; count += 1) seldom.isDue(`other-${count}`)
  expect(seldom.isDue('a')).toBe(false)
  seldom.isDue('one-more')
  expect(seldom.isDue('a')).toBe(true)
})
