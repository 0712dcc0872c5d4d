import { hash } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import type { FleetMachine } from '../run/fleet-row.ts'
import type { FleetOptions } from '../run/fleet-options.ts'

const Command = z.union([z.string(), z.array(z.string())])
const Size = z.union([z.number(), z.templateLiteral([z.number(), '%'])])

/**
 * A command over a fleet as the relay keeps it, so that another script can go on with it. Values of the environment are not in it, only
 * what they hash to: they may be secrets.
 */
export const ExecPlan = z.object({
  version: z.literal(1),
  /** One for all, or one for each machine by its id. */
  command: z.union([z.object({ all: Command }), z.object({ each: z.record(z.string(), Command) })]),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string().nullable()).optional(),
  restrictions: z.unknown().optional(),
  concurrency: z
    .union([z.number(), z.object({ total: z.number().optional(), per: z.record(z.string(), z.number()).optional() })])
    .optional(),
  maxFailures: Size.optional(),
  timeoutMs: z.number().optional(),
  retries: z.number().optional(),
  bakeMs: z.number().optional(),
  maxOutputBytes: z.number().optional(),
  /** A function of the script decides between waves. */
  hasCheck: z.boolean(),
})
export type ExecPlan = z.infer<typeof ExecPlan>

/** What a script gives anew when it goes on with a run: what no ledger keeps. */
export interface Regiven {
  readonly env?: Record<string, string | null> | undefined
  readonly check?: FleetOptions<never>['check'] | undefined
}

/** The environment as the plan has it. */
export function hashedEnv(env: Readonly<Record<string, string | null>> | undefined): ExecPlan['env'] {
  if (env === undefined) return undefined
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value === null ? null : hash('sha256', `${name}=${value}`)]),
  )
}

/** The command of one machine. Throws `validation` where the plan has none. */
export function commandOf({ command }: ExecPlan, machine: FleetMachine): string | readonly string[] {
  const own = 'all' in command ? command.all : command.each[machine.id]
  if (own !== undefined) return own
  throw new CmdopError('validation', `The plan of the run has no command for ${machine.name}.`)
}

/** Throws `validation` unless what is given anew is what the run began with. */
export function assertRegiven(plan: ExecPlan, { env, check }: Regiven): void {
  if (JSON.stringify(sorted(hashedEnv(env))) !== JSON.stringify(sorted(plan.env)))
    throw new CmdopError(
      'validation',
      `The run began with ${shown(plan.env)}; give the same again, as values of an environment are not kept.`,
    )
  if (plan.hasCheck !== (check !== undefined))
    throw new CmdopError(
      'validation',
      plan.hasCheck ? 'The run has a check between waves; give it again.' : 'The run has no check between waves.',
    )
}

function sorted(env: ExecPlan['env']): [string, string | null][] {
  return Object.entries(env ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
}

function shown(env: ExecPlan['env']): string {
  const names = Object.keys(env ?? {})
  return names.length === 0 ? 'no environment' : `an environment of ${names.join(', ')}`
}
