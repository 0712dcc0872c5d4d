import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { RunPlan } from '../../ledger/run-plan.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'

/** Files to machines, or from them, as the relay keeps it, so that another script can go on with it. */
export const CopyPlan = z.object({
  ...RunPlan.shape,
  direction: z.enum(['to', 'from']),
  /** On the computer of the script: what is copied, or the folder with one for each machine. Absolute. */
  local: z.string(),
  /** On the machines: one path for all, or one for each machine by its id. Absolute. */
  remote: z.union([z.object({ all: z.string() }), z.object({ each: z.record(z.string(), z.string()) })]),
  recursive: z.boolean(),
  preserve: z.boolean(),
  overwrite: z.boolean(),
  createParents: z.boolean(),
  /** What is copied to the machines, see `LocalDigest`; null: it comes from them. */
  content: z.object({ sha256: z.string(), bytes: z.number(), files: z.number() }).nullable(),
})
export type CopyPlan = z.infer<typeof CopyPlan>

/** The path on one machine. Throws `validation` where the plan has none. */
export function remotePathOf({ remote }: CopyPlan, machine: FleetMachine): string {
  const own = 'all' in remote ? remote.all : remote.each[machine.id]
  if (own !== undefined) return own
  throw new CmdopError('validation', `The plan of the run has no path for ${machine.name}.`)
}
