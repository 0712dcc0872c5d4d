import { expect, test } from 'vitest'
import { type ProgressNotice, startLiveProgress } from './live-progress.ts'

/** Notifications as they are sent; each waits until it is let go. */
function watched() {
  const notices: ProgressNotice[] = []
  let next = Promise.withResolvers<void>()
  let release: () => void = () => {}
  return {
    notices,
    release: () => release(),
    next: () => next.promise,
    send: (notice: ProgressNotice): Promise<void> => {
      notices.push(notice)
      next.resolve()
      next = Promise.withResolvers()
      return new Promise((resolve) => void (release = resolve))
    },
  }
}

test('the first output is shown at once, and what comes while a notification is on its way is shown with the next', async () => {
  const { notices, send, release, next } = watched()
  using progress = startLiveProgress(send, { everyMs: 1, beatMs: 60_000 })
  progress.show('one')
  progress.show('two')
  progress.show('three')
  expect(notices.map(({ message }) => message)).toEqual(['one'])
  const second = next()
  release()
  await second
  expect(notices.map(({ message }) => message)).toEqual(['one', 'twothree'])
  expect(notices[1]?.progress).toBeGreaterThan(notices[0]?.progress ?? 0)
})

test('of more output than a client can take, the end is shown and the rest is counted', async () => {
  const { notices, send, release, next } = watched()
  using progress = startLiveProgress(send, { everyMs: 1, beatMs: 60_000 })
  progress.show('first')
  for (let count = 0; count < 1000; count += 1) progress.show('x'.repeat(100))
  const second = next()
  release()
  await second
  expect(notices[1]?.message).toBe(`[... ${100_000 - 4096} characters are left out here ...]\n${'x'.repeat(4096)}`)
})

test('a silent command is told of, so that a client does not give it up', async () => {
  const { notices, send, next } = watched()
  const beat = next()
  using _ = startLiveProgress(send, { everyMs: 1, beatMs: 5 })
  await beat
  expect(notices[0]?.message).toBe('still running')
})
