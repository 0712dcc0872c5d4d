import { randomUUID } from 'node:crypto'
import type { ExecOptions, Machine } from '@cmdop/core'
import type { MachineSummary } from '@cmdop/protocol'
import { callIdOf } from './call-id.ts'
import { type CommandResult, execJob } from './jobs/exec-job.ts'
import { type FleetReport, reportOf } from './report/fleet-report.ts'
import { conduct, type FleetEvent, type Job } from './run/conduct.ts'
import { FleetExecution } from './run/fleet-execution.ts'
import { type FleetOptions, type FleetPlan, planOf } from './run/fleet-options.ts'
import type { FleetMachine } from './run/fleet-row.ts'
import { findTargets, type MachineSource, type Targets } from './targets/find-targets.ts'

/** What a fleet needs of a client; `Client` of `@cmdop/core` is one. */
export interface FleetClient {
  readonly machines: MachineSource
  handle(machine: FleetMachine): Machine
}

/** A command over a fleet. */
export interface FleetExecOptions
  extends
    FleetOptions<CommandResult>,
    Pick<ExecOptions, 'cwd' | 'env' | 'maxOutputBytes' | 'restrictions' | 'approval'> {}

/** A set of machines of one fleet, to work on at once. */
export interface Fleet {
  /** The machines that are meant now, in order of their names. Throws as `exec` does. */
  preview(options?: { allowEmpty?: boolean; signal?: AbortSignal }): Promise<MachineSummary[]>
  /**
   * Runs a command on each machine, a string under `/bin/sh -c`. Throws `validation`, `not_found` when no machine is meant, and what
   * the relay says; what goes wrong on a machine is in its row.
   */
  exec(command: FleetCommand, options?: FleetExecOptions): FleetExecution<CommandResult>
}

/** The same command for all, or one made for each machine. */
export type FleetCommand = string | readonly string[] | ((machine: FleetMachine) => string | readonly string[])

/** The machines of a client's fleet that are meant: a selector such as `role=web,env!=dev`, names, or several of these. */
export function createFleet(client: FleetClient, targets: Targets): Fleet {
  const find = (options: { allowEmpty?: boolean | undefined; signal?: AbortSignal | undefined }) =>
    findTargets(targets, { ...options, machines: client.machines })
  return {
    preview: (options = {}) => find(options),
    exec: (command, options = {}) => {
      const { cwd, env, maxOutputBytes, restrictions, approval, runId = randomUUID() } = options
      const given = { cwd, env, maxOutputBytes, restrictions, approval }
      return new FleetExecution(
        runId,
        async (emit, signal) => {
          const machines = await find({ allowEmpty: options.allowEmpty, signal })
          const plan = planOf(machines, options as FleetOptions<never>)
          const job = execJob({
            machineOf: (machine) => client.handle(machine),
            command,
            options: defined(given),
            deadlineMs: plan.timeoutMs,
            callIdOf: ({ id }) => callIdOf({ runId, step: 'exec', machineId: id, generation: 0 }),
            resumedFrom: undefined,
          })
          return carryOut({ runId, job, plan, emit, signal, check: options.check })
        },
        options.signal,
      )
    },
  }
}

async function carryOut<Result>(run: {
  readonly runId: string
  readonly job: Job<Result>
  readonly plan: FleetPlan
  readonly check: FleetOptions<Result>['check']
  readonly emit: (event: FleetEvent<Result>) => void
  readonly signal: AbortSignal
}): Promise<FleetReport<Result>> {
  const { runId, plan } = run
  const startedAt = new Date().toISOString()
  const began = performance.now()
  const conclusion = await conduct({ ...plan, ...run, check: run.check, done: new Map() })
  const durationMs = Math.round(performance.now() - began)
  return reportOf({ runId, ...conclusion, maxFailures: plan.limit.max, startedAt, durationMs })
}

/** Without what is undefined, which options are not. */
function defined<Given extends object>(given: Given): { [Key in keyof Given]?: Exclude<Given[Key], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never
}
