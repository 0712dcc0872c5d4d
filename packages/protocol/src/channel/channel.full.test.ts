import { test } from 'vitest'
import {
  checkBudget,
  checkCredit,
  checkFrameRoundTrip,
  checkGarbage,
  checkStreams,
} from './testing/channel-properties.ts'
import { makeMemoryPair } from './testing/pairs.ts'

/** Cases of each property; the run beside every change makes a few hundred. */
const RUNS = 5000
const TIMEOUT_MS = 600_000

test('The properties of frames hold in many cases', { timeout: TIMEOUT_MS }, () => {
  checkFrameRoundTrip(20 * RUNS)
  checkGarbage(20 * RUNS)
})

test('The properties of windows hold in many cases', { timeout: TIMEOUT_MS }, () => {
  checkCredit(4 * RUNS)
  checkBudget(RUNS)
})

test('The properties of channels hold in many cases', { timeout: TIMEOUT_MS }, async () => {
  await checkStreams(makeMemoryPair, RUNS)
})
