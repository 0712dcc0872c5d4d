import { z } from 'zod'
import { ApprovalSummary, DEFAULT_APPROVAL_SECONDS, MAX_APPROVAL_SECONDS } from '../approvals.ts'
import { type ErrorCode, errorCodes } from '../error-codes.ts'
import { Requirement } from '../messages/approval.ts'
import { MAX_FLEET_RUN_TARGETS } from './fleet-runs.ts'

/** Bytes of the body of `POST /api/fleet-runs/:run/approvals` at most. */
export const MAX_FLEET_APPROVAL_BYTES = 16 * 1024 * 1024

/**
 * Body of `POST /api/fleet-runs/:run/approvals`: asks people about what a fleet run is to do on some of its machines. The same again
 * is the same question; what they have approved of this run is not asked again, for as long as that approval lasts, nor is what they
 * have denied.
 */
export const FleetApprovalRequest = z.strictObject({
  title: z.string().min(1).max(256),
  reason: z.string().max(4096).default(''),
  actions: z
    .array(
      z.strictObject({
        machine_id: z.string().min(1).max(64),
        /** Of a method of machines, or `tool`: what the script does, which no machine holds it to. */
        method: z.string().min(1).max(64),
        params: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1)
    .max(MAX_FLEET_RUN_TARGETS),
  requirement: Requirement.optional(),
  /** Ask also about what people have denied of this run: somebody wants that done again. */
  again: z.boolean().default(false),
  /** The model that asks, where one does. */
  model: z.string().max(256).optional(),
  expires_in_seconds: z.number().int().min(1).max(MAX_APPROVAL_SECONDS).default(DEFAULT_APPROVAL_SECONDS),
})
export type FleetApprovalRequest = z.input<typeof FleetApprovalRequest>

/** Answer to it. */
export const FleetApprovalAsked = z.object({
  /** Null: of no machine is there anything to ask. */
  approval: ApprovalSummary.nullable(),
  /** Machines that nobody is asked about, and why: offline, not allowed, or what cannot be known before it runs. */
  left_out: z.array(
    z.object({
      machine_id: z.string(),
      code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
})
export type FleetApprovalAsked = z.infer<typeof FleetApprovalAsked>
