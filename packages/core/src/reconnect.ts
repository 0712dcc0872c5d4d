import { type CmdopError, isCmdopError } from '@cmdop/protocol'

/** Bounds of the wait between tries to come back, in milliseconds. */
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2000

/** Milliseconds to wait before each next try: random, so that many clients do not come at once, and longer and longer. */
export function createBackoff(): () => number {
  let bound = FIRST_WAIT_MS
  return () => {
    const ms = Math.random() * bound
    bound = Math.min(bound * 2, LONGEST_WAIT_MS)
    return ms
  }
}

/** Whether the way to the machine was lost, and not what is done there. */
export function isLost(error: unknown): error is CmdopError {
  return isCmdopError(error) && (error.code === 'connection' || error.code === 'slow_peer')
}

/** Whether another try to come back can succeed. */
export function isTransient(error: unknown): error is CmdopError {
  return isLost(error) || (isCmdopError(error) && (error.code === 'unavailable' || error.code === 'timeout'))
}
