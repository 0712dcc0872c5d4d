import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { InputMeter, type InputPart } from './input-meter.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('input that flows is told of every ten seconds at most, without a gap, and as a whole in the end', () => {
  const told: InputPart[] = []
  const meter = new InputMeter((part) => told.push(part))
  meter.add(5)
  vi.advanceTimersByTime(9_999)
  meter.add(7)
  expect(told).toEqual([])
  vi.advanceTimersByTime(1)
  meter.add(1)
  meter.add(2)
  vi.advanceTimersByTime(60_000)
  expect(told).toEqual([{ bytes: 13, offset: 0 }])
  meter.add(4)
  expect(told[1]).toEqual({ bytes: 6, offset: 13 })
  expect(meter.whole).toEqual({ bytes: 19, offset: 0 })
})
