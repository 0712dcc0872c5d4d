import { CmdopError } from '@cmdop/protocol'

/** Resolves after `ms` milliseconds. Throws `cancelled` when the signal aborts. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  const waited = Promise.withResolvers<void>()
  const cancelled = () => waited.reject(new CmdopError('cancelled', 'The call was cancelled.'))
  if (signal?.aborted === true) cancelled()
  const timer = setTimeout(waited.resolve, ms)
  signal?.addEventListener('abort', cancelled, { once: true })
  return waited.promise.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancelled)
  })
}

/** The promise, or `cancelled` as soon as the signal aborts; what was begun goes on for whoever else waits for it. */
export async function abortable<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(new CmdopError('cancelled', 'The call was cancelled before it began.'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
    aborted.promise.catch(() => {})
    promise.catch(() => {})
  }
}
