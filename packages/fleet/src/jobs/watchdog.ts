import type { ApprovalOptions } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/**
 * What is not over in time is given up on: the machine keeps the deadline too, and whoever waits for it waits no longer. It is
 * `unknown` once another script waits for it.
 */
export function watchdog(ms: number, { signal, leave }: { signal: AbortSignal; leave: AbortSignal }) {
  const giveUp = new AbortController()
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const begin = () =>
    setTimeout(() => {
      late.reject(new CmdopError('timeout', `The machine did not say within ${ms} ms how it ended.`))
      giveUp.abort()
    }, ms)
  let timer = begin()
  const left = () => late.reject(new CmdopError('unknown', 'Another script waits for it now.'))
  if (leave.aborted) left()
  leave.addEventListener('abort', left, { once: true })
  return {
    signal: AbortSignal.any([signal, giveUp.signal]),
    /** Nothing runs while people are asked: the time begins when they have answered. */
    heldBy: ({ onApproval, ...approval }: ApprovalOptions): ApprovalOptions => ({
      ...approval,
      onApproval: async (notice) => {
        clearTimeout(timer)
        if (notice.state !== 'pending') timer = begin()
        await onApproval?.(notice)
      },
    }),
    race: <Result>(work: Promise<Result>) => Promise.race([work, late.promise]),
    end: () => {
      clearTimeout(timer)
      leave.removeEventListener('abort', left)
    },
  }
}

/** What {@link watchdog} gives. */
export type Watchdog = ReturnType<typeof watchdog>
