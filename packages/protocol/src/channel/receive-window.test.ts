import { expect, test } from 'vitest'
import { checkBudget, checkCredit } from './testing/channel-properties.ts'
import { CONNECTION_WINDOW, INITIAL_WINDOW, MAX_CHANNELS, MAX_WINDOW, MIN_DATA_COST, MIN_WINDOW } from './limits.ts'
import { ReceiveBudget, ReceiveWindow } from './receive-window.ts'

test('Both ends count the same credit, and a sender whose bytes are read can always go on', () => {
  checkCredit(200)
})

test('All windows of a connection stay within its own, and get back what was given', () => {
  checkBudget(60)
})

test('As many channels as a connection may have get the least window each', () => {
  const budget = new ReceiveBudget()
  const windows = Array.from({ length: MAX_CHANNELS }, () => new ReceiveWindow(budget).initial)
  expect(windows[0]).toBe(INITIAL_WINDOW)
  expect(Math.min(...windows)).toBeGreaterThanOrEqual(MIN_WINDOW)
  expect(windows.reduce((sum, window) => sum + window, 0)).toBeLessThanOrEqual(CONNECTION_WINDOW)
})

test('A window that is read doubles, up to its limit', () => {
  const window = new ReceiveWindow(new ReceiveBudget())
  let size = window.initial
  const sizes = Array.from({ length: 7 }, () => {
    window.arrived(size)
    size = window.consumed(size)
    return size
  })
  expect(sizes).toEqual([2, 4, 8, 16, 32, 32, 32].map((times) => times * INITIAL_WINDOW))
  expect(size).toBe(MAX_WINDOW)
})

test('Credit is not returned in crumbs', () => {
  const window = new ReceiveWindow(new ReceiveBudget())
  window.arrived(INITIAL_WINDOW)
  expect(window.consumed(INITIAL_WINDOW / 2 - 1)).toBe(0)
  expect(window.consumed(1)).toBeGreaterThanOrEqual(INITIAL_WINDOW / 2)
})

test('One byte more than was granted is an overrun', () => {
  const window = new ReceiveWindow(new ReceiveBudget())
  window.arrived(INITIAL_WINDOW)
  expect(() => window.arrived(1)).toThrow(expect.objectContaining({ code: 'flow_control' }))
})

test('The number of unread messages of a channel is bounded by the least cost', () => {
  const window = new ReceiveWindow(new ReceiveBudget())
  for (let i = 0; i < INITIAL_WINDOW / MIN_DATA_COST; i += 1) window.arrived(MIN_DATA_COST)
  expect(() => window.arrived(MIN_DATA_COST)).toThrow(expect.objectContaining({ code: 'flow_control' }))
})

test('A released window gives its part back once', () => {
  const budget = new ReceiveBudget()
  const before = budget.take(4)
  budget.give(before)
  const window = new ReceiveWindow(budget)
  window.release()
  window.release()
  let taken = 0
  for (let part = budget.take(MAX_WINDOW); part > 0; part = budget.take(MAX_WINDOW)) taken += part
  expect(taken).toBeGreaterThan(CONNECTION_WINDOW - MAX_CHANNELS * MIN_WINDOW - 4)
  expect(taken).toBeLessThanOrEqual(CONNECTION_WINDOW - MAX_CHANNELS * MIN_WINDOW)
})
