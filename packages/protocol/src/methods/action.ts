import { z } from 'zod'
import { MAX_ACTION_WORDS } from '../messages/approval.ts'

/**
 * Parameters of `action.describe`: what a call would do on this machine, for the question whether it may. Nothing is done. The
 * answer is an {@link ApprovableAction}. `unsupported` for what cannot be bound to a hash before it runs: a command with stdin,
 * a file whose content is not announced.
 */
export const ActionDescribeParams = z.strictObject({
  method: z.string().min(1).max(64),
  params: z.record(z.string(), z.unknown()),
  /** Words of its command that may name files. */
  words: z.array(z.string().max(4096)).max(MAX_ACTION_WORDS),
})
export type ActionDescribeParams = z.infer<typeof ActionDescribeParams>
