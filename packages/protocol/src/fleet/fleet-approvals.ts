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
  title: z.string().min(1).max(256).describe('What is asked, in a line'),
  reason: z.string().max(4096).default('').describe('Why, for people'),
  actions: z
    .array(
      z.strictObject({
        machine_id: z.string().min(1).max(64).describe('Id of the machine'),
        method: z
          .string()
          .min(1)
          .max(64)
          .describe(
            'The method of machines that would be called, or `tool`: what the script does, which no machine holds it to',
          ),
        params: z.record(z.string(), z.unknown()).describe('Parameters of the method, exactly as they will be sent'),
      }),
    )
    .min(1)
    .max(MAX_FLEET_RUN_TARGETS)
    .describe('What would run on each machine'),
  requirement: Requirement.optional().describe('Who has to approve; all of these together. Default: one member.'),
  again: z
    .boolean()
    .default(false)
    .describe('Ask also about what people have denied of this run: somebody wants that done again'),
  model: z.string().max(256).optional().describe('The model that asks, where one does'),
  expires_in_seconds: z
    .number()
    .int()
    .min(1)
    .max(MAX_APPROVAL_SECONDS)
    .default(DEFAULT_APPROVAL_SECONDS)
    .describe('Seconds until it is denied when nobody decides'),
})
export type FleetApprovalRequest = z.input<typeof FleetApprovalRequest>

/** Answer to it. */
export const FleetApprovalAsked = z.object({
  approval: ApprovalSummary.nullable().describe('The question to people; null: of no machine is there anything to ask'),
  left_out: z
    .array(
      z.object({
        machine_id: z.string().describe('Id of the machine'),
        code: z
          .enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]])
          .describe('Error code of why nobody is asked'),
        message: z.string().describe('Why nobody is asked, in a sentence'),
        details: z.record(z.string(), z.unknown()).describe('What else is known of it'),
      }),
    )
    .describe(
      'Machines that nobody is asked about, and why: offline, not allowed, or what cannot be known before it runs',
    ),
})
export type FleetApprovalAsked = z.infer<typeof FleetApprovalAsked>
