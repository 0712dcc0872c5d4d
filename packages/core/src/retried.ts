import { isCmdopError } from '@cmdop/protocol'
import { createBackoff } from './reconnect.ts'
import { wait } from './wait.ts'

/** How a call is tried again. */
export interface RetryOptions {
  /** How often at most, after the first try. */
  readonly retries: number
  /** `performance.now()` after which nothing is begun. */
  readonly until: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Tries a call again that failed with what is `retryable`, after a random wait that grows, or after the seconds that the relay asks
 * for. Where that is later than the call may take, the error is thrown at once. Throws what the last try did.
 */
export async function retried<Value>(call: () => Promise<Value>, options: RetryOptions): Promise<Value> {
  const { retries, until, signal } = options
  const backoff = createBackoff()
  for (let left = retries; ; left -= 1) {
    try {
      return await call()
    } catch (error) {
      if (left <= 0 || !isCmdopError(error) || !error.retryable) throw error
      const waitMs = Math.max(backoff(), (error.retryAfter ?? 0) * 1000)
      // Where its own time is over another try would have none.
      if (performance.now() + waitMs >= until) throw error
      await wait(waitMs, signal)
    }
  }
}
