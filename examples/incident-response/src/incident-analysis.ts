import { z } from 'zod'

/** What an investigation must answer. */
export const IncidentAnalysis = z.object({
  root_cause: z.string(),
  affected_services: z.array(z.string()),
  impact: z.string(),
  remediation_steps: z
    .array(z.string())
    .describe('In order, each with its one command in backticks. Empty when nothing is broken.'),
  requires_human: z
    .boolean()
    .describe('True when no command repairs it without losing data that nobody can bring back'),
})
export type IncidentAnalysis = z.infer<typeof IncidentAnalysis>

/** What carrying out one step must answer. */
export const StepResult = z.object({
  done: z.boolean().describe('False when it was not allowed, or did not end with exit code 0'),
  detail: z.string(),
})
