import type { ErrorCode } from '@cmdop/protocol'

/** Exit codes of every command but `exec`; `docs/cli.md` has the same table, and a test compares them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  notFound: 4,
  unreachable: 5,
  deadline: 6,
  run: 7,
  refused: 8,
  cancelled: 130,
  brokenPipe: 141,
} as const

/** `cmdop exec` passes the command's own exit code on, so its own failures have codes that commands rarely use. */
export const execExitCodes = { deadline: 124, refused: 125, failed: 255, cancelled: 130, signalBase: 128 } as const

const byCode: Partial<Record<ErrorCode, number>> = {
  config: exitCodes.usage,
  validation: exitCodes.usage,
  schema_invalid: exitCodes.usage,
  unsupported: exitCodes.usage,
  auth: exitCodes.denied,
  permission: exitCodes.denied,
  permit: exitCodes.denied,
  approval_required: exitCodes.denied,
  approval_denied: exitCodes.denied,
  approval_void: exitCodes.denied,
  policy_denied: exitCodes.denied,
  pin_denied: exitCodes.denied,
  not_found: exitCodes.notFound,
  ambiguous: exitCodes.notFound,
  connection: exitCodes.unreachable,
  unavailable: exitCodes.unreachable,
  timeout: exitCodes.unreachable,
  lost: exitCodes.unreachable,
  slow_peer: exitCodes.unreachable,
  deadline: exitCodes.deadline,
  expired: exitCodes.deadline,
  model: exitCodes.run,
  model_refused: exitCodes.run,
  output_invalid: exitCodes.run,
  budget: exitCodes.run,
  restriction_unenforceable: exitCodes.refused,
  restriction_violated: exitCodes.refused,
  effect_conflict: exitCodes.refused,
  cancelled: exitCodes.cancelled,
}

/** The exit code for an error. */
export function exitCodeOf(code: ErrorCode): number {
  return byCode[code] ?? exitCodes.failed
}

/** The exit code of `cmdop exec` for an error. */
export function execExitCodeOf(code: ErrorCode): number {
  if (code === 'deadline') return execExitCodes.deadline
  if (byCode[code] === exitCodes.refused) return execExitCodes.refused
  return code === 'cancelled' ? execExitCodes.cancelled : execExitCodes.failed
}
