import { hash } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { FleetApproval } from '../gates/fleet-approval.ts'

const Size = z.union([z.number(), z.templateLiteral([z.number(), '%'])])

/** What every plan has, whatever is done on the machines: how the run goes over them. */
export const RunPlan = z.object({
  version: z.literal(1),
  concurrency: z
    .union([z.number(), z.object({ total: z.number().optional(), per: z.record(z.string(), z.number()).optional() })])
    .optional(),
  maxFailures: Size.optional(),
  timeoutMs: z.number().optional(),
  retries: z.number().optional(),
  bakeMs: z.number().optional(),
  /** When people are asked, and whom. */
  approval: FleetApproval.optional(),
  delivery: z.enum(['at-most-once', 'at-least-once']).optional(),
  notAfter: z.iso.datetime().optional(),
  queue: z.object({ maxAgeMs: z.number() }).optional(),
  /** A function of the script decides between waves. */
  hasCheck: z.boolean(),
})
export type RunPlan = z.infer<typeof RunPlan>

/** An environment as a plan has it: what its values hash to, as they may be secrets; null removes a variable. */
export const HashedEnv = z.record(z.string(), z.string().nullable())
export type HashedEnv = z.infer<typeof HashedEnv>

/** That of an environment; undefined: there is none. */
export function hashedEnv(env: Readonly<Record<string, string | null>> | undefined): HashedEnv | undefined {
  if (env === undefined) return undefined
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value === null ? null : hash('sha256', `${name}=${value}`)]),
  )
}

/** Throws `validation` unless a check between waves is there where the run began with one. */
export function assertSameCheck({ hasCheck }: RunPlan, check: unknown): void {
  if (hasCheck === (check !== undefined)) return
  throw new CmdopError(
    'validation',
    hasCheck ? 'The run has a check between waves; give it again.' : 'The run has no check between waves.',
  )
}

/** Throws `validation` unless the environment is the one that the run began with. */
export function assertSameEnv(
  { env: began }: { readonly env?: HashedEnv | undefined },
  env: Readonly<Record<string, string | null>> | undefined,
): void {
  if (JSON.stringify(sorted(hashedEnv(env))) === JSON.stringify(sorted(began))) return
  throw new CmdopError(
    'validation',
    `The run began with ${shown(began)}; give the same again, as values of an environment are not kept.`,
  )
}

/** A plan as this version reads it. Throws `unsupported`. */
export function readPlan<Plan>(schema: z.ZodType<Plan>, plan: unknown): Plan {
  // Also takes out what is undefined, so that it is the same once it was read again.
  const parsed = schema.safeParse(JSON.parse(JSON.stringify(plan)))
  if (parsed.success) return parsed.data
  throw new CmdopError('unsupported', 'The run was begun by another version; go on with it there.', {
    cause: parsed.error,
  })
}

function sorted(env: HashedEnv | undefined): [string, string | null][] {
  return Object.entries(env ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
}

function shown(env: HashedEnv | undefined): string {
  const names = Object.keys(env ?? {})
  return names.length === 0 ? 'no environment' : `an environment of ${names.join(', ')}`
}
