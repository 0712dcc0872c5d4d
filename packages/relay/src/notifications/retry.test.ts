import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Answer } from './post.ts'
import { afterTry, GIVE_UP_AFTER_MS } from './retry.ts'

const START = Date.UTC(2030, 0, 1)
const HOUR_MS = 3_600_000

const answer: fc.Arbitrary<Answer> = fc.record({
  status: fc.option(fc.constantFrom(408, 425, 429, 500, 502, 503, 504)),
  error: fc.constantFrom('status', 'timeout', 'ECONNREFUSED'),
  text: fc.constant(null),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 10 * HOUR_MS })),
})

test('Whatever a receiver answers, tries have bounds in count and time, and wait longer and longer', () => {
  fc.assert(
    fc.property(fc.infiniteStream(answer), fc.double({ min: 0, max: 1, noNaN: true }), (answers, random) => {
      const giveUpAt = new Date(START + GIVE_UP_AFTER_MS).toISOString()
      let now = START
      for (let attempts = 1; ; attempts += 1) {
        expect(attempts).toBeLessThanOrEqual(12)
        const given = answers.next().value as Answer
        const options = { now, firstWaitMs: 5000, random }
        const { state, dueAt, endedAt } = afterTry({ attempts, giveUpAt, event: 'pending' }, given, options)
        const wait = Date.parse(dueAt) - now
        if (state === 'failed') {
          expect(endedAt).toBe(new Date(now).toISOString())
          return
        }
        expect(state).toBe('waiting')
        expect(dueAt <= giveUpAt).toBe(true)
        const bound = Math.min(5000 * 2 ** (attempts - 1), HOUR_MS)
        const asked = Math.min(given.retryAfterMs ?? 0, HOUR_MS)
        expect(wait).toBeGreaterThanOrEqual(Math.max(Math.floor(bound / 2), asked))
        expect(wait).toBeLessThanOrEqual(Math.max(bound, asked))
        now += wait
      }
    }),
  )
})

test.each([
  [200, null, 'delivered'],
  [204, null, 'delivered'],
  [301, 'redirect', 'failed'],
  [400, 'status', 'failed'],
  [410, 'status', 'failed'],
  [null, 'address_refused', 'failed'],
  [null, 'disabled', 'failed'],
  [429, 'status', 'waiting'],
  [500, 'status', 'waiting'],
  [null, 'ENOTFOUND', 'waiting'],
] as const)('After %s (%s) it is %s', (status, error, state) => {
  const delivery = { attempts: 1, giveUpAt: new Date(START + HOUR_MS).toISOString(), event: 'denied' as const }
  const given = { status, error, text: null, retryAfterMs: null }
  expect(afterTry(delivery, given, { now: START, firstWaitMs: 1000, random: 0.5 })).toMatchObject({ state })
})
