import { RunPolicy } from '@cmdop/protocol'
import { z } from 'zod'
import { HashedEnv, RunPlan } from '../../ledger/run-plan.ts'

const Limits = z.object({
  steps: z.number().optional(),
  tokens: z.number().optional(),
  usd: z.number().optional(),
  seconds: z.number().optional(),
  outputBytes: z.number().optional(),
})

/** A prompt over a fleet as the relay keeps it, so that another script can go on with it. */
export const OperatorPlan = z.object({
  ...RunPlan.shape,
  /** One for all, or one for each machine by its id. */
  prompt: z.union([z.object({ all: z.string() }), z.object({ each: z.record(z.string(), z.string()) })]),
  agentType: z.enum(['terminal', 'chat', 'command']).optional(),
  context: z.unknown().optional(),
  budget: z.object({ total: Limits.optional(), perMachine: Limits.optional() }).optional(),
  restrictions: z.unknown().optional(),
  policy: RunPolicy.optional(),
  evidence: z.boolean().optional(),
  maxRepairs: z.number().optional(),
  builtInTools: z.array(z.string()).optional(),
  readOnlyTools: z.array(z.string()).optional(),
  env: HashedEnv.optional(),
  /** About which calls people are asked. `some`: a function of the script says so. */
  asks: z.enum(['none', 'always', 'changes', 'some']),
  /** Fingerprint of what an answer must be. */
  schemaDigest: z.string(),
  /** Names of the caller's own tools. */
  tools: z.array(z.string()),
})
export type OperatorPlan = z.infer<typeof OperatorPlan>
