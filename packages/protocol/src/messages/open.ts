import { z } from 'zod'
import { decodeJson } from '../channel/frame.ts'
import { MAX_WINDOW, MIN_WINDOW } from '../channel/limits.ts'
import { CmdopError, toCmdopError } from '../errors.ts'
import { RunId } from '../runs.ts'
import { PlainRestrictions } from '../methods/restrictions.ts'
import { SignedApproval } from './approval.ts'
import { CallId } from './call-id.ts'
import { SignedPermit } from './permit.ts'

/** Of an AI operator that acts for the caller. */
export const Operator = z.strictObject({
  runId: RunId,
  agentType: z.string().min(1).max(64),
  model: z.string().min(1).max(256),
})
export type Operator = z.infer<typeof Operator>

/** The payload of an `open` frame. */
export const Open = z.strictObject({
  /** What to do: one of {@link methods}. */
  method: z.string().max(64),
  /** The id of the machine. */
  target: z.string().min(1).max(64),
  /** The method's own parameters. */
  params: z.record(z.string(), z.unknown()),
  callId: CallId,
  /** Credit that the opener grants at once, in bytes. */
  window: z.number().int().min(MIN_WINDOW).max(MAX_WINDOW),
  /** Milliseconds from the arrival at the machine after which the call is ended there. */
  deadlineMs: z.number().int().positive().max(2_147_483_647).optional(),
  /** Added by the relay; a machine runs nothing without it. */
  permit: SignedPermit.optional(),
  /** An approval of a plan that this call is part of. A call that was asked about by itself is found by its call id. */
  approvalId: z.string().min(1).max(64).optional(),
  /** The caller wants a person to approve it, whatever the policy says. */
  askApproval: z.boolean().optional(),
  /** The run of an AI operator that makes the call: it counts as its call then, on behalf of the caller. */
  operator: Operator.optional(),
  /** The fleet run that the call is part of, which is the caller's own: nothing of it begins once that was cancelled. */
  fleetRunId: RunId.optional(),
  /** What its session holds it to, as the caller says; it is judged by that, and the machine refuses a session that holds less. */
  under: PlainRestrictions.optional(),
  /** Added by the relay where a person has approved; the machine checks it. */
  approval: SignedApproval.optional(),
  /** W3C trace context. */
  traceparent: z.string().max(128).optional(),
})
export type Open = z.infer<typeof Open>

/** The payload of an open frame, or the error to refuse it with. */
export function parseOpen(payload: Uint8Array): Open | CmdopError {
  try {
    const open = Open.safeParse(decodeJson(payload))
    if (open.success) return open.data
    return new CmdopError('validation', `The open frame is not valid: ${z.prettifyError(open.error)}`)
  } catch (cause) {
    return toCmdopError(cause, 'protocol', 'The open frame could not be read.')
  }
}
