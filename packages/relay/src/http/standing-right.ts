import { Readable } from 'node:stream'
import { CmdopError, toCmdopError } from '@cmdop/protocol'
import { type Caller, refreshCaller } from '../auth/authenticate.ts'
import { type Action, authorise } from '../auth/authorise.ts'
import type { HttpContext } from './context.ts'

/** Milliseconds until it is looked again: for what expires, and what changes where no message comes from. */
const LOOK_EVERY_MS = 500

/** Whether a caller may still do what takes long. Disposing it ends that it is looked at. */
export interface StandingRight extends Disposable {
  /** Aborts once the caller may do it no more, with the error that says why. */
  readonly lost: AbortSignal
}

/**
 * Watches a right for as long as an answer is sent: a key that is revoked or expires, a member who is removed, a role that is
 * lowered, of the caller and of everybody behind it.
 */
export function watchRight(
  { store, bus }: Pick<HttpContext, 'store' | 'bus'>,
  caller: Caller,
  action: Action,
): StandingRight {
  const over = new AbortController()
  const look = async () => {
    try {
      const now = await refreshCaller(store, caller)
      // The scopes of a key do not change, so the machine does not matter.
      const decision = authorise(now, action, { fleetId: now.fleetId, machine: 'any' })
      if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
    } catch (cause) {
      over.abort(toCmdopError(cause, 'unavailable', 'The relay could not look up the key; try again.'))
    }
  }
  const stop = bus.subscribe((message) => {
    if (message.type === 'key-revoked' && caller.ids.has(message.keyId)) void look()
    if (message.type === 'principal-changed' && caller.ids.has(message.principalId)) void look()
  })
  const timer = setInterval(() => void look(), LOOK_EVERY_MS).unref()
  // What changed between the check of the request and now.
  void look()
  return {
    lost: over.signal,
    [Symbol.dispose]: () => {
      stop()
      clearInterval(timer)
    },
  }
}

/** A long answer that breaks off with the right to it, whether it is being read or not. The right is watched no more after its end. */
export function readableWhile(right: StandingRight, items: AsyncIterable<string | Uint8Array>): Readable {
  const content = Readable.from(items, { objectMode: false })
  const end = () => content.destroy(right.lost.reason)
  right.lost.addEventListener('abort', end, { once: true })
  if (right.lost.aborted) end()
  return content.once('close', () => right[Symbol.dispose]())
}
