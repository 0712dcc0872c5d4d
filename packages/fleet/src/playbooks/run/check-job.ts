import { setTimeout as wait } from 'node:timers/promises'
import { type ExecOptions, ExecError, type Machine } from '@cmdop/core'
import { CmdopError, isCmdopError, toCmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { type CommandResult, resultOf } from '../../jobs/exec/exec-job.ts'
import type { FleetKind } from '../../jobs/kind.ts'
import { HashedEnv, readPlan, RunPlan } from '../../ledger/run-plan.ts'
import type { Done, Job } from '../../run/conduct.ts'
import type { FleetOptions } from '../../run/fleet-options.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'

/** What a check is, as the ledger keeps it: for people to look at. */
const CheckPlan = z.looseObject({ ...RunPlan.shape, env: HashedEnv.optional() })

/** What a check tries. */
export interface CheckGiven extends FleetOptions<CommandResult> {
  readonly machineOf: (machine: FleetMachine) => Machine
  readonly commandOf: (machine: FleetMachine) => string | readonly string[]
  readonly options: Pick<ExecOptions, 'cwd' | 'env' | 'maxOutputBytes' | 'restrictions'>
  readonly until: (result: CommandResult, machine: FleetMachine) => boolean | Promise<boolean>
  readonly everyMs: number
  readonly atMostMs: number
  /** Of one try. */
  readonly tryMs: number
}

/** A command again and again. Who goes on with it begins anew on the machines on which it was not so yet. */
export const checkKind: FleetKind<CommandResult, CheckGiven> = {
  name: 'playbook',
  open: (written, given) => ({ plan: readPlan(CheckPlan, written), job: () => checkJob(given) }),
}

function checkJob(given: CheckGiven): Job<CommandResult> {
  return { run: (machine, { signal, leave }) => tryUntil(given, machine, AbortSignal.any([signal, leave])) }
}

async function tryUntil(given: CheckGiven, machine: FleetMachine, signal: AbortSignal): Promise<Done<CommandResult>> {
  const { until, everyMs, atMostMs } = given
  const end = performance.now() + atMostMs
  for (let tries = 1; ; tries += 1) {
    const { result, error } = await tryOnce(given, machine, signal)
    if (result !== undefined && (await until(result, machine))) return { outcome: 'ok', result }
    if (performance.now() + everyMs > end) {
      const why = error === undefined ? '' : ` The last one: ${error.message}`
      const late = new CmdopError('deadline', `It was not so within ${atMostMs} ms, at ${tries} tries.${why}`)
      if (result === undefined) throw late
      return { outcome: 'failed', result, error: late }
    }
    await wait(everyMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) throw new CmdopError('cancelled', 'It was cancelled.')
  }
}

/** A machine that is away for a moment, as one that starts again, is tried again; what is refused is not. */
async function tryOnce(
  { machineOf, commandOf, options, tryMs }: CheckGiven,
  machine: FleetMachine,
  signal: AbortSignal,
): Promise<{ result?: CommandResult; error?: CmdopError }> {
  try {
    const result = await machineOf(machine).exec(commandOf(machine), { ...options, deadlineMs: tryMs, signal })
    return { result: resultOf(result) }
  } catch (cause) {
    const error = toCmdopError(cause, 'server', 'The script met a fault of its own.')
    if (signal.aborted) throw error
    if (cause instanceof ExecError && cause.result !== undefined) return { result: resultOf(cause.result), error }
    if (isCmdopError(cause) && (error.retryable || passing.has(error.code))) return { error }
    throw error
  }
}

/** Of a try, which may be made again. */
const passing: ReadonlySet<string> = new Set(['connection', 'unavailable', 'lost', 'timeout', 'deadline', 'unknown'])
