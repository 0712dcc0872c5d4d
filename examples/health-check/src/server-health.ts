import { z } from 'zod'

/** What a health check of one machine must answer. */
export const ServerHealth = z.object({
  hostname: z.string().describe('Name of the machine'),
  cpu_percent: z.number().describe('CPU usage percentage'),
  memory_percent: z.number(),
  disk_free_gb: z.number(),
  services: z.array(z.string()).describe('Running services'),
  issues: z.array(z.string()).describe('Detected problems; empty when it is healthy'),
})
export type ServerHealth = z.infer<typeof ServerHealth>

/** What mending one machine must answer. */
export const Remediation = z.object({
  commands: z.array(z.string()).describe('What was run to change something, in order'),
  remaining: z.array(z.string()).describe('What could not be mended, or was not allowed'),
})
export type Remediation = z.infer<typeof Remediation>
