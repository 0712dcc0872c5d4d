import { setTimeout as wait } from 'node:timers/promises'
import { toCmdopError } from '@cmdop/protocol'

/** Milliseconds for which a relay that does not answer is tried again, and between two tries. */
const TRY_FOR_MS = 60_000
const PAUSE_MS = 250

/** Does what may be done twice, until the relay has answered. Throws what another try does not help against. */
export async function persevere<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  for (const end = performance.now() + TRY_FOR_MS; ;) {
    try {
      return await work()
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The relay could not be asked.')
      const isPassing = error.retryable || error.code === 'connection' || error.code === 'timeout'
      if (!isPassing || performance.now() > end || signal?.aborted === true) throw error
      await wait(PAUSE_MS, undefined, signal && { signal }).catch(() => {})
    }
  }
}
