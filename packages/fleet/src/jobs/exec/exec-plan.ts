import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { HashedEnv, RunPlan } from '../../ledger/run-plan.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'

const Command = z.union([z.string(), z.array(z.string())])

/** A command over a fleet as the relay keeps it, so that another script can go on with it. */
export const ExecPlan = z.object({
  ...RunPlan.shape,
  /** One for all, or one for each machine by its id. */
  command: z.union([z.object({ all: Command }), z.object({ each: z.record(z.string(), Command) })]),
  cwd: z.string().optional(),
  env: HashedEnv.optional(),
  restrictions: z.unknown().optional(),
  maxOutputBytes: z.number().optional(),
})
export type ExecPlan = z.infer<typeof ExecPlan>

/** The command of one machine. Throws `validation` where the plan has none. */
export function commandOf({ command }: ExecPlan, machine: FleetMachine): string | readonly string[] {
  const own = 'all' in command ? command.all : command.each[machine.id]
  if (own !== undefined) return own
  throw new CmdopError('validation', `The plan of the run has no command for ${machine.name}.`)
}
