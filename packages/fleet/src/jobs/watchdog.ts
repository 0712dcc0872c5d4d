import { CmdopError } from '@cmdop/protocol'

/**
 * What is not over in time is given up on: the machine keeps the deadline too, and whoever waits for it waits no longer. It is
 * `unknown` once another script waits for it.
 */
export function watchdog(ms: number, { signal, leave }: { signal: AbortSignal; leave: AbortSignal }) {
  const giveUp = new AbortController()
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const timer = setTimeout(() => {
    late.reject(new CmdopError('timeout', `The machine did not say within ${ms} ms how it ended.`))
    giveUp.abort()
  }, ms)
  const left = () => late.reject(new CmdopError('unknown', 'Another script waits for it now.'))
  if (leave.aborted) left()
  leave.addEventListener('abort', left, { once: true })
  return {
    signal: AbortSignal.any([signal, giveUp.signal]),
    race: <Result>(work: Promise<Result>) => Promise.race([work, late.promise]),
    end: () => {
      clearTimeout(timer)
      leave.removeEventListener('abort', left)
    },
  }
}
