import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { InputMeter, type InputPart } from './input-meter.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('of input is told ten seconds after its first byte, without a gap, and of all of it in the end', () => {
  const told: InputPart[] = []
  const meter = new InputMeter((part) => told.push(part))
  vi.advanceTimersByTime(60_000)
  meter.add(5)
  vi.advanceTimersByTime(9_999)
  meter.add(7)
  expect(told).toEqual([])
  // Whoever typed may type nothing more for hours.
  vi.advanceTimersByTime(1)
  expect(told).toEqual([{ bytes: 12, offset: 0 }])
  vi.advanceTimersByTime(60_000)
  meter.add(1)
  meter.add(2)
  vi.advanceTimersByTime(10_000)
  expect(told).toEqual([
    { bytes: 12, offset: 0 },
    { bytes: 3, offset: 12 },
  ])
  meter.add(4)
  expect(meter.end()).toEqual({ bytes: 19, offset: 0 })
  vi.advanceTimersByTime(60_000)
  expect(told).toHaveLength(2)
})
