/** How long a reading may take, in milliseconds, and what ends it sooner. */
interface TimeLimit {
  limitMs: number
  signal?: AbortSignal | undefined
}

/**
 * The value of `read`, or a rejection once the time is over (`timed out after … ms`) or the signal is aborted (its
 * reason), also when `read` ignores the signal it is given. That signal is aborted at the end in every case, so nothing
 * that listens to it outlives the call.
 */
export async function withTimeLimit<T>(read: (signal: AbortSignal) => Promise<T>, limit: TimeLimit): Promise<T> {
  const end = new AbortController()
  const timer = setTimeout(() => end.abort(new Error(`timed out after ${limit.limitMs} ms`)), limit.limitMs)
  const signal = limit.signal === undefined ? end.signal : AbortSignal.any([limit.signal, end.signal])
  try {
    signal.throwIfAborted()
    return await Promise.race([read(signal), rejectWhenAborted(signal)])
  } catch (error) {
    // What was aborted rejects with an error of its own; the reason says more.
    throw signal.aborted ? signal.reason : error
  } finally {
    clearTimeout(timer)
    end.abort()
  }
}

function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
