import { CmdopError, MAX_APPROVAL_SECONDS, Requirement } from '@cmdop/protocol'
import { z } from 'zod'

/**
 * When people are asked: `before` once, before anything runs; `wave` before each wave; `machine` before each machine; `effects`
 * once for each different effect that a dry run has shown, of which then exactly that is applied.
 */
export const GateMoment = z.enum(['before', 'wave', 'machine', 'effects'])
export type GateMoment = z.infer<typeof GateMoment>

/** Whom a fleet run asks, and when. */
export const FleetApproval = z.strictObject({
  at: GateMoment,
  /** With `wave`: these waves alone, from 1. */
  waves: z.array(z.number().int().min(1)).min(1).readonly().optional(),
  /** Who has to approve. Default: one member. */
  requirement: Requirement.optional(),
  /** Seconds until nobody's answer is a no. Default: an hour. */
  expiresInSeconds: z.number().int().min(1).max(MAX_APPROVAL_SECONDS).optional(),
  /** Why, for people. */
  reason: z.string().max(4096).optional(),
  /** The model that asks, where one does. */
  model: z.string().max(256).optional(),
})
export type FleetApproval = z.infer<typeof FleetApproval>

/** The option `approval` as a plan keeps it. Throws `validation`. */
export function approvalOf(given: GateMoment | FleetApproval | undefined): FleetApproval | undefined {
  if (given === undefined) return undefined
  const parsed = FleetApproval.safeParse(typeof given === 'string' ? { at: given } : given)
  if (!parsed.success)
    throw new CmdopError(
      'validation',
      `Expected approval to be before, wave, machine or effects: ${z.prettifyError(parsed.error)}`,
    )
  if (parsed.data.waves === undefined || parsed.data.at === 'wave') return parsed.data
  throw new CmdopError('validation', 'Expected `waves` of approval only together with `at: "wave"`.')
}
