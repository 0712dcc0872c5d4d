import { z } from 'zod'
import { CmdopError } from '../errors.ts'
import { AbsolutePath } from './paths.ts'

/** Bounds of what a restricted command may use. Absent = none of ours. */
export const ResourceLimits = z.strictObject({
  cpuSeconds: z.number().int().min(1).optional().describe('Seconds of processor time of each process'),
  memoryBytes: z.number().int().min(1_048_576).optional().describe('Bytes of address space of each process'),
  processes: z.number().int().min(1).optional().describe('Processes of the user at once'),
  openFiles: z.number().int().min(8).optional().describe('Open files of each process'),
  tasksMax: z.number().int().min(1).optional().describe('Processes and threads of everything together, by cgroup v2'),
  memoryMaxBytes: z
    .number()
    .int()
    .min(1_048_576)
    .optional()
    .describe('Bytes of memory of everything together, by cgroup v2; over it the largest process is ended'),
  viewBytes: z
    .number()
    .int()
    .min(1_048_576)
    .optional()
    .describe('Bytes that the view may hold beside the real disk; over it the processes are ended'),
})
export type ResourceLimits = z.infer<typeof ResourceLimits>

/**
 * What a session, run or command may not do; the machine's kernel holds it. Fixed at the start, inherited by everything in
 * it, and never loosened; several together mean all of them.
 */
export const PlainRestrictions = z.strictObject({
  dryRun: z
    .boolean()
    .optional()
    .describe(
      'Nothing reaches the disk: commands see a view in which their own changes are, and the effect can be applied',
    ),
  noDelete: z
    .boolean()
    .optional()
    .describe("A command's effect is applied when it deletes, empties or replaces nothing; otherwise nothing of it is"),
  noOverwrite: z.boolean().optional().describe('As `noDelete`, and no existing file gets another content either'),
  readOnly: z.boolean().optional().describe('Nothing can be written but scratch files that vanish'),
  writablePaths: z
    .array(AbsolutePath)
    .max(64)
    .optional()
    .describe('Only below these directories anything can be written'),
  network: z
    .enum(['none', 'host'])
    .optional()
    .describe('`none`: no network but a loopback of its own. Default: `none` where there is a view, else `host`.'),
  noSudo: z
    .boolean()
    .optional()
    .describe('Rights cannot be gained: setuid programs and sudo do nothing. A daemon of root needs `runAs`.'),
  runAs: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .optional()
    .describe('Name of the user that commands run as'),
  limits: ResourceLimits.optional().describe('Bounds of what a command may use'),
})

/** Names as the original product prints them; `noNetwork` is another word for `network: 'none'`. */
const aliases: Readonly<Record<string, string>> = {
  dry_run: 'dryRun',
  no_delete: 'noDelete',
  no_overwrite: 'noOverwrite',
  read_only: 'readOnly',
  writable_paths: 'writablePaths',
  no_sudo: 'noSudo',
  run_as: 'runAs',
  no_network: 'noNetwork',
}

/** Accepts the other names, too. A restriction that is given under two names is refused: they might differ. */
export const Restrictions = z.preprocess(withoutAliases, PlainRestrictions)
export type Restrictions = z.infer<typeof PlainRestrictions>

/** What callers may write: also the names of the original product. */
export interface RestrictionsInput extends Restrictions {
  readonly noNetwork?: boolean | undefined
  readonly dry_run?: boolean | undefined
  readonly no_delete?: boolean | undefined
  readonly no_overwrite?: boolean | undefined
  readonly read_only?: boolean | undefined
  readonly writable_paths?: string[] | undefined
  readonly no_network?: boolean | undefined
  readonly no_sudo?: boolean | undefined
  readonly run_as?: string | undefined
}

function withoutAliases(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const result: Record<string, unknown> = {}
  for (const [given, setting] of Object.entries(value)) {
    const name = aliases[given] ?? given
    const [known, meaning] =
      name === 'noNetwork' ? (['network', noNetwork(setting)] as const) : ([name, setting] as const)
    if (meaning === undefined) continue
    // Not one or the other: what is left unknown here is refused by the schema.
    if (Object.hasOwn(result, known)) result[`${known} (given twice)`] = meaning
    else result[known] = meaning
  }
  return result
}

function noNetwork(setting: unknown): unknown {
  if (typeof setting !== 'boolean') return setting
  return setting ? 'none' : undefined
}

/** Whether there is anything that a kernel has to hold. */
export function isRestricted(restrictions: Restrictions | undefined): restrictions is Restrictions {
  return Object.values(restrictions ?? {}).some((value) => value !== undefined && value !== false && value !== 'host')
}

/**
 * What is allowed by both: each may only take away from the other. Paths are compared as text, so links in them must have been
 * followed. Throws `restriction_unenforceable` for two users: a command runs as one.
 */
export function mergeRestrictions(one: Restrictions | undefined, other: Restrictions | undefined): Restrictions {
  if (one === undefined || other === undefined) return one ?? other ?? {}
  const merged: Restrictions = {
    dryRun: one.dryRun === true || other.dryRun === true || undefined,
    noDelete: one.noDelete === true || other.noDelete === true || undefined,
    noOverwrite: one.noOverwrite === true || other.noOverwrite === true || undefined,
    readOnly: one.readOnly === true || other.readOnly === true || undefined,
    writablePaths: commonPaths(one.writablePaths, other.writablePaths),
    network: commonNetwork(one, other),
    noSudo: one.noSudo === true || other.noSudo === true || undefined,
    runAs: commonUser(one.runAs, other.runAs),
    limits: smallerLimits(one.limits, other.limits),
  }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))
}

function commonPaths(one: string[] | undefined, other: string[] | undefined): string[] | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const [ours, theirs] = [one.map(plainPath), other.map(plainPath)]
  const inBoth = [
    ...ours.filter((path) => theirs.some((root) => isInside(path, root))),
    ...theirs.filter((path) => ours.some((root) => isInside(path, root))),
  ]
  return [...new Set(inBoth)]
}

/** Without empty, `.` and `..` parts. */
function plainPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function isInside(path: string, root: string): boolean {
  return root === '/' || path === root || path.startsWith(`${root}/`)
}

/** One that asks for the network of the machine does not open what the other leaves closed. */
function commonNetwork(one: Restrictions, other: Restrictions): Restrictions['network'] {
  if (one.network === undefined && other.network === undefined) return undefined
  return networkOf(one) === 'none' || networkOf(other) === 'none' ? 'none' : 'host'
}

/** The default: `none` where there is a view. */
function networkOf(restrictions: Restrictions): 'none' | 'host' {
  const { network, dryRun, noDelete, noOverwrite, readOnly, writablePaths } = restrictions
  const hasView = [dryRun, noDelete, noOverwrite, readOnly].includes(true) || writablePaths !== undefined
  return network ?? (hasView ? 'none' : 'host')
}

function commonUser(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined || one === other) return one ?? other
  throw new CmdopError(
    'restriction_unenforceable',
    `runAs cannot be both ${one} and ${other}: a command runs as one user. Nothing ran. Leave one out.`,
    { details: { restriction: 'runAs', missing: 'one user', step: 'plan', fix: 'Leave one out.', executed: false } },
  )
}

function smallerLimits(one: ResourceLimits | undefined, other: ResourceLimits | undefined): ResourceLimits | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const smaller: Record<string, number> = {}
  for (const [name, limit] of [...Object.entries(one), ...Object.entries(other)])
    if (limit !== undefined) smaller[name] = Math.min(limit, smaller[name] ?? limit)
  return smaller
}
