import { z } from 'zod'
import { AbsolutePath } from './paths.ts'

/** Bounds of what a restricted command may use. Absent = none of ours. */
export const ResourceLimits = z.strictObject({
  /** Seconds of processor time of each process. */
  cpuSeconds: z.number().int().min(1).optional(),
  /** Bytes of address space of each process. */
  memoryBytes: z.number().int().min(1_048_576).optional(),
  /** Processes of the user at once. */
  processes: z.number().int().min(1).optional(),
  /** Open files of each process. */
  openFiles: z.number().int().min(8).optional(),
  /** Bytes that the view may hold beside the real disk; over it the processes are ended. */
  viewBytes: z.number().int().min(1_048_576).optional(),
})
export type ResourceLimits = z.infer<typeof ResourceLimits>

/**
 * What a session, run or command may not do; the machine's kernel holds it. Fixed at the start, inherited by everything in
 * it, and never loosened; several together mean all of them.
 */
export const Restrictions = z.strictObject({
  /** Nothing reaches the disk: commands see a view in which their own changes are, and the effect can be applied. */
  dryRun: z.boolean().optional(),
  /** A command's effect is applied when it deletes, empties or replaces nothing; otherwise nothing of it is. */
  noDelete: z.boolean().optional(),
  /** As `noDelete`, and no existing file gets another content either. */
  noOverwrite: z.boolean().optional(),
  /** Nothing can be written but scratch files that vanish. */
  readOnly: z.boolean().optional(),
  /** Only below these directories anything can be written. */
  writablePaths: z.array(AbsolutePath).max(64).optional(),
  /** `none`: no network but a loopback of its own. Default: `none` where there is a view, else `host`. */
  network: z.enum(['none', 'host']).optional(),
  /** Rights cannot be gained: setuid programs and sudo do nothing. A daemon of root needs `runAs`. */
  noSudo: z.boolean().optional(),
  /** Name of the user that commands run as. */
  runAs: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .optional(),
  limits: ResourceLimits.optional(),
})
export type Restrictions = z.infer<typeof Restrictions>
