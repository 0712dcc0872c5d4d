import { z } from 'zod'

/** What deploying on one machine must answer. */
export const DeploymentResult = z.object({
  success: z.boolean(),
  version: z.string(),
  duration_seconds: z.number(),
  tests_passed: z.number(),
  tests_failed: z.number(),
  rollback_needed: z.boolean().describe('True when the new version is in place and does not work'),
  error: z.string().nullable(),
})
export type DeploymentResult = z.infer<typeof DeploymentResult>

/** What rolling back one machine must answer. */
export const RollbackResult = z.object({
  version: z.string().describe('The one that runs now'),
  error: z.string().nullable(),
})
