import type { CallApproval } from '@cmdop/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchdog } from './watchdog.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const never = { signal: new AbortController().signal, leave: new AbortController().signal }
const notice: CallApproval = {
  approvalId: 'apr_1',
  state: 'pending',
  summary: 'Restart',
  expiresAt: '2999-01-01T00:00:00.000Z',
  by: [],
  edited: null,
}

test('what does not end in time is given up on, and its signal aborts', async () => {
  const { race, signal, end } = watchdog(100, never)
  const ended = expect(race(new Promise<never>(() => {}))).rejects.toMatchObject({ code: 'timeout' })
  vi.advanceTimersByTime(100)
  await ended
  expect(signal.aborted).toBe(true)
  end()
})

test('the time in which people are asked does not count, and all of it is left once they have answered', async () => {
  const told: string[] = []
  const { race, signal, heldBy, end } = watchdog(100, never)
  const { onApproval, wait } = heldBy({ wait: true, onApproval: ({ state }) => void told.push(state) })
  expect(wait).toBe(true)
  vi.advanceTimersByTime(90)
  await onApproval?.(notice)
  vi.advanceTimersByTime(86_400_000)
  expect(signal.aborted).toBe(false)
  await onApproval?.({ ...notice, state: 'approved', by: ['ann'] })
  vi.advanceTimersByTime(99)
  expect(await race(Promise.resolve('done'))).toBe('done')
  const late = expect(race(new Promise<never>(() => {}))).rejects.toMatchObject({ code: 'timeout' })
  vi.advanceTimersByTime(1)
  await late
  expect(told).toEqual(['pending', 'approved'])
  end()
})
