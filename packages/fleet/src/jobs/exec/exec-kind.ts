import type { ExecOptions } from '@cmdop/core'
import { commandText } from '@cmdop/protocol'
import { callIdOf } from '../../call-id.ts'
import type { FleetClient } from '../../fleet-client.ts'
import { assertSameEnv, hashedEnv, readPlan } from '../../ledger/run-plan.ts'
import type { FleetExecution } from '../../run/fleet-execution.ts'
import type { FleetOptions } from '../../run/fleet-options.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import { beginRun } from '../begin-run.ts'
import type { FleetKind, JobSite } from '../kind.ts'
import { execEffects } from './exec-effects.ts'
import { type CommandResult, execJob } from './exec-job.ts'
import { commandOf, ExecPlan } from './exec-plan.ts'

/** The same command for all, or one made for each machine. */
export type FleetCommand = string | readonly string[] | ((machine: FleetMachine) => string | readonly string[])

/** A command over a fleet. */
export interface FleetExecOptions
  extends FleetOptions<CommandResult>, Pick<ExecOptions, 'cwd' | 'env' | 'maxOutputBytes' | 'restrictions'> {
  /** What is done where the policy wants a person to approve the command on one machine. */
  readonly callApproval?: ExecOptions['approval']
  /** What it is for, for people. Default: the command. */
  readonly title?: string
}

/** What no ledger keeps of a command: values of the environment, and who is told of approvals. */
export interface ExecGiven {
  readonly env?: ExecOptions['env'] | undefined
  readonly callApproval?: ExecOptions['approval'] | undefined
}

export const execKind: FleetKind<CommandResult, ExecGiven> = {
  name: 'exec',
  open: (written, given) => {
    const plan = readPlan(ExecPlan, written)
    assertSameEnv(plan, given.env)
    return {
      plan,
      job: (site) => jobOf(plan, given, site),
      callOf: (machine) => ({ method: 'exec', params: paramsOf(plan, given, machine) }),
      effects: (site) => effectsOf(plan, given, site),
    }
  },
}

/** A command that is begun on these machines. */
export function beginExec(
  client: FleetClient,
  command: FleetCommand,
  { find, ...options }: FleetExecOptions & { readonly find: (signal: AbortSignal) => Promise<readonly FleetMachine[]> },
): FleetExecution<CommandResult> {
  const { cwd, restrictions, maxOutputBytes, env } = options
  const title = options.title ?? titleOf(command)
  const planFor = (machines: readonly FleetMachine[]) => ({
    cwd,
    restrictions,
    maxOutputBytes,
    env: hashedEnv(env),
    command:
      typeof command === 'function'
        ? { each: Object.fromEntries(machines.map((machine) => [machine.id, command(machine)])) }
        : { all: command },
  })
  return beginRun(client, { kind: execKind, title, find, planFor }, options)
}

function jobOf(plan: ExecPlan, { env, callApproval }: ExecGiven, site: JobSite<CommandResult>, step = 'exec') {
  const { cwd, maxOutputBytes, restrictions, notAfter, delivery } = plan
  const { client, runId, timeoutMs, retries, generationOf, approvalOf, resumedFrom } = site
  const given = { cwd, maxOutputBytes, restrictions, notAfter, env } as Pick<
    ExecOptions,
    'cwd' | 'maxOutputBytes' | 'restrictions' | 'notAfter' | 'env'
  >
  return execJob({
    machineOf: (machine) => client.handle(machine),
    command: (machine) => commandOf(plan, machine),
    options: defined(given),
    approvalOf: (machine) => {
      const approvalId = approvalOf(machine)
      return approvalId === undefined ? callApproval : { approvalId, wait: false }
    },
    deadlineMs: timeoutMs,
    callIdOf: (machine, order) =>
      callIdOf({ runId, step, machineId: machine.id, generation: generationOf(machine), order }),
    orders: { delivery, retries },
    resumedFrom,
  })
}

/** The command as the machine gets it. */
function paramsOf(plan: ExecPlan, { env }: ExecGiven, machine: FleetMachine): Record<string, unknown> {
  const { cwd, restrictions } = plan
  const command = commandOf(plan, machine)
  return defined({ command, cwd, env, restrictions })
}

/** In a view of each machine first. */
function effectsOf(plan: ExecPlan, given: ExecGiven, site: JobSite<CommandResult>) {
  const restrictions = { ...Object(plan.restrictions), dryRun: true }
  const dry = jobOf({ ...plan, restrictions }, given, { ...site, approvalOf: () => undefined }, 'dry-run')
  return execEffects(dry, (machine, approval) => {
    const handle = site.client.handle(machine)
    return approval === undefined ? handle : (handle.as?.({ approval }) ?? handle)
  })
}

function defined<Given extends object>(given: Given): { [Name in keyof Given]?: NonNullable<Given[Name]> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Given
}

function titleOf(command: FleetCommand): string {
  if (typeof command === 'function') return 'A command for each machine'
  return commandText(typeof command === 'string' ? command : [...command])
}
