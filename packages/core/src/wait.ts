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
