import { expect, test } from 'vitest'
import { MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_WINDOW, MIN_WINDOW } from './limits.ts'
import { CONTROL_RESERVE, SendWindow } from './send-window.ts'

test('A writer gets what fits, at most one frame of content', () => {
  expect(new SendWindow(MAX_WINDOW).fits(10 * MAX_DATA_BYTES)).toBe(MAX_DATA_BYTES)
  expect(new SendWindow(MAX_WINDOW).fits(5)).toBe(5)
  expect(new SendWindow(127 + CONTROL_RESERVE).fits(1)).toBe(0)
  expect(new SendWindow(128 + CONTROL_RESERVE).fits(1)).toBe(1)
})

test('A writer does not cut its content into crumbs to use up its credit', () => {
  expect(new SendWindow(1152 + CONTROL_RESERVE).fits(5000)).toBe(0)
  expect(new SendWindow(1153 + CONTROL_RESERVE).fits(5000)).toBe(1024)
})

test('A writer gets something out of half of the smallest window', () => {
  expect(new SendWindow(MIN_WINDOW / 2).fits(MAX_DATA_BYTES)).toBeGreaterThan(0)
})

test('What fits never costs more than the credit', () => {
  for (let credit = 1; credit < 3000; credit += 1) {
    for (const wanted of [1, 122, 123, credit - 7, credit - 6, credit - 5, credit, 70_000]) {
      const window = new SendWindow(credit)
      const piece = wanted > 0 ? window.fits(wanted) : 0
      if (piece > 0) window.spend(piece + 1)
      if (window.credit < 0) expect.fail(`${wanted} bytes of ${credit} left ${window.credit}.`)
    }
  }
})

test('A control message is never cut, whatever the credit', () => {
  for (let credit = 1; credit < 3000; credit += 1) {
    expect([0, MAX_CONTROL_BYTES]).toContain(new SendWindow(credit).fits(MAX_CONTROL_BYTES))
  }
})

test('Content leaves enough for a few control messages', () => {
  for (let credit = 0; credit < 3000; credit += 1) {
    const window = new SendWindow(CONTROL_RESERVE + credit)
    for (let piece = window.fits(70_000); piece > 0; piece = window.fits(70_000)) window.spend(piece + 1)
    expect(window.credit).toBeGreaterThanOrEqual(CONTROL_RESERVE)
    expect(window.fitsControl(100)).toBe(true)
  }
})

test('A grant beyond what a channel may have outstanding is refused', () => {
  const window = new SendWindow(MAX_WINDOW - 1)
  window.grant(1)
  expect(() => window.grant(1)).toThrow(expect.objectContaining({ code: 'flow_control' }))
  expect(window.credit).toBe(MAX_WINDOW)
})

test('A grant wakes every writer that waits', async () => {
  const window = new SendWindow(0)
  const waiting = [window.granted(), window.granted()]
  window.grant(1)
  await Promise.all(waiting)
})
