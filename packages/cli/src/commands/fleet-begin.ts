import { Client } from '@cmdop/core'
import { createFleet } from '@cmdop/fleet'
import { finishRun, formatOf, type FormatFlags } from '../fleet/finish-run.ts'
import { envOf, type RunFlags, runOptionsOf, targetsOf } from '../fleet/run-flags.ts'
import { loadSchema } from '../load-schema.ts'
import { parseCount } from '../numbers.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'

interface BeginFlags extends RunFlags, FormatFlags {
  env?: string[]
}

interface Cancellable {
  signal: AbortSignal
}

export interface FleetExecFlags extends BeginFlags, RestrictionFlags {
  cwd?: string
  shell?: boolean
}

export interface FleetRunFlags extends BeginFlags, RestrictionFlags {
  schema?: string
  model?: string
  maxSteps?: string
  totalSteps?: string
  totalTokens?: string
  totalUsd?: string
}

export interface FleetCopyFlags extends RunFlags, FormatFlags {
  recursive?: boolean
  preserve?: boolean
  overwrite?: boolean
  parents?: boolean
  collect?: boolean
}

/** `cmdop fleet exec --on <selector> -- <argv>` */
export async function fleetExecCommand(
  argv: string[],
  { signal, ...flags }: FleetExecFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  const { cwd } = flags
  const options = { ...begunBy(flags), ...(cwd === undefined ? {} : { cwd }), signal }
  await using client = new Client()
  const run = createFleet(client, targetsOf(flags)).exec(flags.shell === true ? argv.join(' ') : argv, options)
  return await finishRun(run, format, options.title ?? argv.join(' '))
}

/** `cmdop fleet run --on <selector> "<prompt>"` */
export async function fleetRunCommand(
  prompt: string,
  { signal, ...flags }: FleetRunFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  const { schema, model } = flags
  const outputSchema = schema === undefined ? undefined : await loadSchema(schema)
  const options = { ...begunBy(flags), budget: budgetOf(flags), outputSchema, signal }
  // Only here: a command needs no operators, and does not wait for them to load.
  const { Client: OperatingClient } = await import('../client.ts')
  await using client = new OperatingClient(model === undefined ? {} : { agent: { model } })
  const run = createFleet(client, targetsOf(flags)).run(prompt, options)
  return await finishRun(run, format, options.title ?? prompt)
}

/** `cmdop fleet copy --on <selector> <source> <path>`, or with `--collect` from the machines. */
export async function fleetCopyCommand(
  source: string,
  destination: string,
  { signal, ...flags }: FleetCopyFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  const { recursive = false, preserve = false, overwrite = true, parents = false, collect } = flags
  const options = { ...runOptionsOf(flags), recursive, preserve, overwrite, createParents: parents, signal }
  await using client = new Client()
  const fleet = createFleet(client, targetsOf(flags))
  const run = collect === true ? fleet.collect(source, destination, options) : fleet.copy(source, destination, options)
  return await finishRun(run, format, options.title ?? `${source} to ${destination}`)
}

function begunBy(flags: BeginFlags & RestrictionFlags) {
  const restrictions = restrictionsOf(flags)
  return { ...runOptionsOf(flags), ...envOf(flags), ...(restrictions === undefined ? {} : { restrictions }) }
}

function budgetOf({ maxSteps, totalSteps, totalTokens, totalUsd }: FleetRunFlags) {
  const perMachine = maxSteps === undefined ? {} : { steps: parseCount('--max-steps', maxSteps) }
  const total = {
    ...(totalSteps === undefined ? {} : { steps: parseCount('--total-steps', totalSteps) }),
    ...(totalTokens === undefined ? {} : { tokens: parseCount('--total-tokens', totalTokens) }),
    ...(totalUsd === undefined ? {} : { usd: Number(totalUsd) }),
  }
  return { perMachine, total }
}
