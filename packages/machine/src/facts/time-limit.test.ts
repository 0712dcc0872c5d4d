import { expect, test } from 'vitest'
import { withTimeLimit } from './time-limit.ts'

const never = new Promise<never>(() => {})

test('what is read in time is the answer', async () => {
  await expect(withTimeLimit(async () => 'read', { limitMs: 1_000 })).resolves.toBe('read')
})

test('a reading that never ends and ignores its signal is given up when its time is over', async () => {
  await expect(withTimeLimit(() => never, { limitMs: 10 })).rejects.toThrow('timed out after 10 ms')
})

test('an aborted signal ends the reading with its reason', async () => {
  const controller = new AbortController()
  const reading = withTimeLimit(() => never, { limitMs: 60_000, signal: controller.signal })
  controller.abort(new Error('the caller went away'))
  await expect(reading).rejects.toThrow('the caller went away')
})

test('a failure is passed on, and the signal of the reading is aborted so that nothing of it lives on', async () => {
  let given: AbortSignal | undefined
  const reading = withTimeLimit(
    async (signal) => {
      given = signal
      throw new Error('no such thing')
    },
    { limitMs: 60_000 },
  )
  await expect(reading).rejects.toThrow('no such thing')
  expect(given?.aborted).toBe(true)
})
