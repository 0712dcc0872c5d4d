import { setTimeout as wait } from 'node:timers/promises'
import { type CmdopError, toCmdopError } from '@cmdop/protocol'

/** Milliseconds before the first retry at most, and before any. Full jitter: each is a random part of that. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

export interface RetryOptions {
  /** Tries after the first one. */
  readonly retries: number
  /** Whether what failed so is tried again. */
  readonly mayRepeat: (error: CmdopError) => boolean
  /** Aborted once nothing may begin any more. */
  readonly stopped: AbortSignal
  /** Whether another try may begin, once nobody holds it. */
  readonly mayBegin: () => Promise<boolean>
  /** A try has failed, and there will be another one. */
  readonly retrying: (error: CmdopError, attempt: number) => void
}

/** What the work gave or the last error, and how often it was tried. */
export type Tried<Result> =
  | { readonly result: Result; readonly attempts: number }
  | { readonly error: CmdopError; readonly attempts: number }

/** Tries the work again while it may be repeated, and begin, and there are tries left. Never throws. */
export async function withRetries<Result>(
  work: (attempt: number) => Promise<Result>,
  { retries, mayRepeat, stopped, mayBegin, retrying }: RetryOptions,
): Promise<Tried<Result>> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return { result: await work(attempts), attempts }
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The script met a fault of its own.')
      if (!mayRepeat(error) || attempts > retries || stopped.aborted) return { error, attempts }
      retrying(error, attempts)
      await wait(pauseOf(error, attempts), undefined, { signal: stopped }).catch(() => {})
      if (!(await mayBegin())) return { error, attempts }
    }
  }
}

/** As long as the relay says, or a random part of a time that doubles. */
function pauseOf(error: CmdopError, attempts: number): number {
  if (error.retryAfter !== undefined) return Math.min(error.retryAfter * 1000, LONGEST_PAUSE_MS)
  return Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1))
}
