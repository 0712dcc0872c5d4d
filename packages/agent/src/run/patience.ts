/** A signal that is aborted some time after another one. */
export interface LateSignal extends Disposable {
  readonly signal: AbortSignal
}

/** Aborted `ms` milliseconds after the signal, with its reason. Dispose it when nobody waits for it any more. */
export function lateSignal(signal: AbortSignal, ms: number): LateSignal {
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => void (timer = setTimeout(() => late.abort(signal.reason), ms))
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return {
    signal: late.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', begin)
    },
  }
}

/** What the work comes to, or a rejection with the signal's reason once that is aborted; what was begun goes on unseen. */
export async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const leave = (): void => aborted.reject(signal.reason)
  work.catch(() => undefined)
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
