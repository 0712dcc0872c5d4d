import { z } from 'zod'

/** One thing that is wrong, and where. */
export const SecurityFinding = z.object({
  severity: z.enum(['critical', 'high', 'medium', 'low']),
  category: z.enum(['permissions', 'open-port', 'outdated-package']),
  description: z.string(),
  file_path: z.string().nullable().describe('Absolute; null for what is no file'),
  port: z.number().nullable().describe('Of an open port; null otherwise'),
  package: z.string().nullable().describe('Name of an outdated package; null otherwise'),
  recommendation: z.string(),
})
export type SecurityFinding = z.infer<typeof SecurityFinding>

/** What a security scan of one machine must answer. */
export const SecurityScan = z.object({
  hostname: z.string(),
  findings: z.array(SecurityFinding),
  overall_risk: z.enum(['critical', 'high', 'medium', 'low', 'none']),
})
export type SecurityScan = z.infer<typeof SecurityScan>
