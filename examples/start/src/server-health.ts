import { z } from 'zod'

/** What a health check must answer. */
export const ServerHealth = z.object({
  hostname: z.string(),
  cpu_percent: z.number().describe('CPU usage percentage'),
  memory_percent: z.number(),
  disk_free_gb: z.number(),
  services: z.array(z.string()).describe('Running services'),
  issues: z.array(z.string()).describe('Detected problems'),
})
export type ServerHealth = z.infer<typeof ServerHealth>
