import { hash, randomUUID } from 'node:crypto'
import type { ExecOptions } from '@cmdop/core'
import { canonicalJson, CmdopError, type FleetRunTarget, type OutcomeName } from '@cmdop/protocol'
import { callIdOf } from '../call-id.ts'
import type { FleetClient } from '../fleet-client.ts'
import { assertRegiven, commandOf, ExecPlan, hashedEnv, type Regiven } from '../ledger/exec-plan.ts'
import { carryOut } from '../ledger/ledgered-run.ts'
import { machineOf, rowOf } from '../ledger/stored-rows.ts'
import { FleetExecution } from '../run/fleet-execution.ts'
import { type FleetOptions, type FleetPlan, planOf, settingsOf } from '../run/fleet-options.ts'
import { type FleetMachine, type FleetRow, skipped } from '../run/fleet-row.ts'
import { type CommandResult, execJob } from './exec-job.ts'

/** The same command for all, or one made for each machine. */
export type FleetCommand = string | readonly string[] | ((machine: FleetMachine) => string | readonly string[])

/** A command over a fleet. */
export interface FleetExecOptions
  extends
    FleetOptions<CommandResult>,
    Pick<ExecOptions, 'cwd' | 'env' | 'maxOutputBytes' | 'restrictions' | 'approval'> {
  /** What it is for, for people. Default: the command. */
  readonly title?: string
}

/** Going on with a run that another script began. */
export interface FleetResumeOptions extends Regiven {
  readonly check?: FleetOptions<CommandResult>['check']
  readonly approval?: ExecOptions['approval']
  readonly signal?: AbortSignal
}

/** A command that is begun on these machines. */
export function beginExec(
  client: FleetClient,
  command: FleetCommand,
  { find, ...options }: FleetExecOptions & { readonly find: (signal: AbortSignal) => Promise<readonly FleetMachine[]> },
): FleetExecution<CommandResult> {
  const { runId = randomUUID() } = options
  return new FleetExecution(
    runId,
    async (emit, signal) => {
      const machines = await find(signal)
      const plan = planOf(machines, options)
      const written = planOfExec(machines, command, options)
      const targets = plan.waves.flatMap((wave, index) => wave.map(({ id }) => ({ machineId: id, wave: index + 1 })))
      const planDigest = hash('sha256', canonicalJson({ plan: written, targets }))
      const title = options.title ?? titleOf(command)
      const create = { runId, kind: 'exec', title, plan: written, planDigest, targets } as const
      const claimed = await client.fleetRuns.create(create, { signal })
      const job = jobOf(client, written, { ...options, runId, plan, generationOf: () => 0, resumedFrom: undefined })
      return carryOut({ client, claimed, job, plan, check: options.check, done: new Map(), emit, signal })
    },
    options.signal,
  )
}

/** Goes on with a run: with what is not done, or, with `retry`, with machines of these outcomes alone. */
export function resumeExec(
  client: FleetClient,
  runId: string,
  { retry, ...options }: FleetResumeOptions & { readonly retry: readonly OutcomeName[] | undefined },
): FleetExecution<CommandResult> {
  return new FleetExecution(
    runId,
    async (emit, signal) => {
      const claimed = await client.fleetRuns.claim(
        runId,
        { retry: retry === undefined ? ['skipped'] : [...retry] },
        { signal },
      )
      const written = readPlan(claimed.plan)
      assertRegiven(written, options)
      const targets = await Array.fromAsync(client.fleetRuns.targets(runId, { signal }))
      const { waves, done, generations } = await standing(client, targets, signal)
      // Only what was asked for again, whatever else was never tried.
      if (retry !== undefined)
        for (const [machine, wave] of waves.flatMap((each, index) => each.map((one) => [one, index + 1] as const)))
          if (!done.has(machine.id) && generations.get(machine.id) !== claimed.run.generation)
            done.set(machine.id, skipped(machine, wave))
      const plan = { ...settingsOf(targets.length, written as FleetOptions<never>), waves }
      const resumedFrom = Date.parse(claimed.run.createdAt)
      const generationOf = (machine: FleetMachine) => generations.get(machine.id) ?? 0
      const job = jobOf(client, written, { ...options, runId, plan, generationOf, resumedFrom })
      return carryOut({ client, claimed, job, plan, check: options.check, done, emit, signal })
    },
    options.signal,
  )
}

function planOfExec(
  machines: readonly FleetMachine[],
  command: FleetCommand,
  { cwd, env, restrictions, maxOutputBytes, check, ...options }: FleetExecOptions,
): ExecPlan {
  const { concurrency, maxFailures = options.waves === undefined ? undefined : 0 } = options
  const { timeoutMs, retries, bakeMs } = options
  const what =
    typeof command === 'function'
      ? { each: Object.fromEntries(machines.map((machine) => [machine.id, command(machine)])) }
      : { all: command }
  const about = { cwd, restrictions, maxOutputBytes, concurrency, maxFailures, timeoutMs, retries, bakeMs }
  const given = { ...about, env: hashedEnv(env), command: what, version: 1, hasCheck: check !== undefined }
  // Also takes out what is undefined, so that it is the same once it was read again.
  return ExecPlan.parse(JSON.parse(JSON.stringify(given)))
}

function readPlan(plan: Record<string, unknown>): ExecPlan {
  const parsed = ExecPlan.safeParse(plan)
  if (parsed.success) return parsed.data
  throw new CmdopError('unsupported', 'The run was begun by another version, or is no command; go on with it there.', {
    cause: parsed.error,
  })
}

interface JobSettings {
  readonly env?: ExecOptions['env'] | undefined
  readonly approval?: ExecOptions['approval'] | undefined
  readonly runId: string
  readonly plan: Pick<FleetPlan, 'timeoutMs'>
  readonly generationOf: (machine: FleetMachine) => number
  readonly resumedFrom: number | undefined
}

function jobOf(client: FleetClient, written: ExecPlan, settings: JobSettings) {
  const { cwd, maxOutputBytes, restrictions } = written
  const { runId, plan, generationOf, resumedFrom, env, approval } = settings
  const given = { cwd, maxOutputBytes, restrictions, env, approval } as Pick<
    ExecOptions,
    'cwd' | 'maxOutputBytes' | 'restrictions' | 'env' | 'approval'
  >
  return execJob({
    machineOf: (machine) => client.handle(machine),
    command: (machine) => commandOf(written, machine),
    options: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    deadlineMs: plan.timeoutMs,
    callIdOf: (machine) => callIdOf({ runId, step: 'exec', machineId: machine.id, generation: generationOf(machine) }),
    resumedFrom,
  })
}

/** How the run stands: its waves, and what is done. */
async function standing(client: FleetClient, targets: readonly FleetRunTarget[], signal: AbortSignal) {
  const ids = new Set(targets.map(({ machineId }) => machineId))
  const all = await Array.fromAsync(client.machines.iter({ limit: 500, signal }))
  const known = new Map(all.filter(({ id }) => ids.has(id)).map((machine) => [machine.id, machine]))
  const waves: FleetMachine[][] = []
  const done = new Map<string, FleetRow<CommandResult>>()
  for (const target of targets) {
    const machine = machineOf(target, known)
    const wave = (waves[target.wave - 1] ??= [])
    wave.push(machine)
    const row = rowOf<CommandResult>(target, machine)
    if (row !== undefined) done.set(machine.id, row)
  }
  const generations = new Map(targets.map(({ machineId, generation }) => [machineId, generation]))
  return { waves, done, generations }
}

function titleOf(command: FleetCommand): string {
  if (typeof command === 'function') return 'A command for each machine'
  return (typeof command === 'string' ? command : command.join(' ')).slice(0, 256)
}
