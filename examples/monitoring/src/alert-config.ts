import { z } from 'zod'

/** One thing that is not as it should be. */
export const AlertConfig = z.object({
  hostname: z.string().describe('Name of the machine'),
  metric: z.enum(['queue_length', 'heartbeat_age_seconds', 'recent_errors', 'data_kb', 'listening']),
  value: z.number(),
  threshold: z.number(),
  severity: z.enum(['critical', 'warning']),
  action: z.string().describe('What to do about it'),
})
export type AlertConfig = z.infer<typeof AlertConfig>
