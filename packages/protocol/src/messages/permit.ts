import { z } from 'zod'
import { canonicalJson } from './canonical-json.ts'

/** Milliseconds a permit is good for, by the relay's clock: the way to the machine, not the run. */
export const PERMIT_TTL_MS = 30_000

/** What the relay allows a machine to do, once. */
export const Permit = z.strictObject({
  version: z.literal(1),
  /** Unique; a machine takes each id once. */
  id: z.string().min(1).max(64),
  relayId: z.string().min(1).max(64),
  fleetId: z.string().min(1).max(64),
  machineId: z.string().min(1).max(64),
  principalId: z.string().min(1).max(64),
  principalKind: z.enum(['human', 'ai', 'service', 'schedule', 'machine', 'system']),
  /** As the relay knows it, for people to read. */
  principalName: z.string().max(120),
  /** The person or schedule it is done for; null when the principal acts for itself. */
  onBehalfOf: z.string().max(64).nullable(),
  action: z.string().min(1).max(64),
  /** SHA-256 of {@link actionText}, hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  callId: z.string().max(64),
  /** Limits that the machine's kernel has to enforce. */
  restrictions: z.record(z.string(), z.unknown()),
  approvalId: z.string().max(64).nullable(),
  /** The audit row that was written before this permit was signed. */
  intentId: z.string().min(1).max(64),
  /** Milliseconds since 1970 by the relay's clock. */
  issuedAt: z.number().int(),
  expiresAt: z.number().int(),
})
export type Permit = z.infer<typeof Permit>

/** A permit as it travels: the exact text that was signed, and the relay's Ed25519 signature of {@link permitText}. */
export const SignedPermit = z.strictObject({
  body: z.string().max(16_384),
  /** base64url. */
  signature: z.string().max(128),
})
export type SignedPermit = z.infer<typeof SignedPermit>

/** The text that the relay signs (UTF-8). */
export function permitText(body: string): string {
  return `cmdop-permit-v1\n${body}`
}

/** The text whose SHA-256 a permit carries (UTF-8): everything of the call that decides what runs, and where. */
export function actionText(action: {
  method: string
  target: string
  callId: string
  params: Record<string, unknown>
  deadlineMs: number | undefined
}): string {
  return canonicalJson({
    version: 1,
    method: action.method,
    target: action.target,
    callId: action.callId,
    params: action.params,
    deadlineMs: action.deadlineMs ?? null,
  })
}
