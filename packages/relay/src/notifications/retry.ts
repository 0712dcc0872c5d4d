import type { DeliveryOutcome, DeliveryRow } from '../store/notification-store.ts'
import type { Answer } from './post.ts'

/** Tries of one delivery at most, and how long after its making it is given up. */
const MAX_ATTEMPTS = 12
export const GIVE_UP_AFTER_MS = 6 * 3_600_000

/** The longest wait between two tries. */
const LONGEST_WAIT_MS = 3_600_000

/** What will be the same next time. */
const FINAL_ERRORS = new Set(['address_refused', 'redirect', 'disabled'])

/** Answers of the 4xx kind after which another try can succeed: timeout, too early, too many. */
const MAY_SUCCEED_LATER = new Set([408, 425, 429])

export interface RetryOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Milliseconds before the second try; each later wait is twice as long. */
  readonly firstWaitMs: number
  /** From 0 to 1: many that failed together do not come back together. */
  readonly random: number
}

/**
 * What an answer makes of a delivery: 2xx is the end, so is a redirect, an address that is refused, and a 4xx that will be the same next
 * time. Everything else is tried again until its count or time is over.
 */
export function afterTry(
  { attempts, giveUpAt, event }: Pick<DeliveryRow, 'attempts' | 'giveUpAt' | 'event'>,
  { status, error, text, retryAfterMs }: Answer,
  { now, firstWaitMs, random }: RetryOptions,
): DeliveryOutcome {
  const at = new Date(now).toISOString()
  const answered = { status, error, answer: text }
  if (error === null) return { ...answered, state: 'delivered', dueAt: at, endedAt: at }
  const bound = Math.min(firstWaitMs * 2 ** (attempts - 1), LONGEST_WAIT_MS)
  const wait = Math.max(bound * (0.5 + random / 2), Math.min(retryAfterMs ?? 0, LONGEST_WAIT_MS))
  const dueAt = new Date(now + wait).toISOString()
  // Who tests wants to know now.
  const isOver = event === 'test' || attempts >= MAX_ATTEMPTS || dueAt > giveUpAt
  if (isOver || !maySucceed(status, error)) return { ...answered, state: 'failed', dueAt: at, endedAt: at }
  return { ...answered, state: 'waiting', dueAt, endedAt: null }
}

function maySucceed(status: number | null, error: string): boolean {
  if (FINAL_ERRORS.has(error)) return false
  return status === null || status >= 500 || MAY_SUCCEED_LATER.has(status)
}
