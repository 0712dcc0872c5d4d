import { type ErrorCode, isCmdopError } from '@cmdop/protocol'

/** Reasons that may pass: a run that stopped for one of them can be gone on with. */
const passing = new Set<ErrorCode>(['connection', 'unavailable', 'timeout', 'slow_peer', 'rate_limit', 'model'])

/** Whether an error stops a run without ending it. */
export function isInterruption(error: unknown): boolean {
  return isCmdopError(error) && passing.has(error.code)
}
