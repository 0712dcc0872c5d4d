import type { ErrorCode } from '../error-codes.ts'
import type { CmdopError } from '../errors.ts'
import type { OutcomeName } from './outcomes.ts'

/**
 * What the codes of errors say of a machine; every other one is `failed`. A code is here only if it says for certain that nothing
 * ran (`unreachable`, `denied`, `unsupported`, `skipped`), or that how it ended is not known.
 */
const outcomeOfCode: Partial<Record<ErrorCode, OutcomeName>> = {
  unavailable: 'unreachable',
  rate_limit: 'unreachable',
  // The machine was removed from the fleet, or is of no scope of the key.
  not_found: 'unreachable',
  auth: 'denied',
  permission: 'denied',
  permit: 'denied',
  policy_denied: 'denied',
  approval_required: 'denied',
  approval_denied: 'denied',
  approval_void: 'denied',
  pin_denied: 'denied',
  pin_required_timeout: 'denied',
  quarantined: 'denied',
  unsupported: 'unsupported',
  restriction_unenforceable: 'unsupported',
  // It came too late, and so did the run.
  expired: 'skipped',
  deadline: 'timeout',
  timeout: 'timeout',
  cancelled: 'cancelled',
  lost: 'lost',
  connection: 'unknown',
  slow_peer: 'unknown',
  server: 'unknown',
  unknown: 'unknown',
}

/** How it ended on a machine where it did not succeed. */
export function outcomeOfError({ code, details }: CmdopError): OutcomeName {
  // Cancelled, and the machine did not say that it is gone.
  if (code === 'cancelled' && details['confirmed'] === false) return 'unknown'
  return outcomeOfCode[code] ?? 'failed'
}
