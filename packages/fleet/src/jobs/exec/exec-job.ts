import { setTimeout as wait } from 'node:timers/promises'
import { type ApprovalOptions, type ExecOptions, type ExecResult, ExecError, type Machine } from '@cmdop/core'
import {
  CmdopError,
  type CmdopErrorOptions,
  type EffectSummary,
  isCmdopError,
  type OutcomeName,
  outcomeOfError,
} from '@cmdop/protocol'
import { OutputSpill } from '../../outputs/output-spill.ts'
import type { Done, Job } from '../../run/conduct.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import { Orders, type OrdersOptions } from '../orders.ts'
import { type Watchdog, watchdog } from '../watchdog.ts'

/** What a command gave on one machine. */
export interface CommandResult {
  /** Null: a signal ended it. */
  readonly exitCode: number | null
  readonly signal: string | null
  /** When truncated: head, a line that says how much is left out, tail. */
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: number
  readonly stderrBytes: number
  readonly stdoutTruncated: boolean
  readonly stderrTruncated: boolean
  /** Milliseconds that it ran, by the machine's clock. */
  readonly durationMs: number
  /** What it changed as a transaction of its own, and whether that was applied; null without one. */
  readonly effect: EffectSummary | null
}

/** Milliseconds after the deadline in which the machine says that it has ended the command: SIGTERM, 2 s, SIGKILL, and the way. */
const SAY_SO_MS = 5000

/** Milliseconds before a call is asked for again that another script waits for. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

export interface ExecJobOptions {
  readonly machineOf: (machine: FleetMachine) => Machine
  readonly command: string | readonly string[] | ((machine: FleetMachine) => string | readonly string[])
  readonly options: Omit<ExecOptions, 'callId' | 'signal' | 'deadlineMs' | 'showIn' | 'approval'>
  /** How the call on a machine deals with people. */
  readonly approvalOf: (machine: FleetMachine) => ApprovalOptions | undefined
  readonly deadlineMs: number
  /** The same for the same machine and order of the same run, so that the machine runs it once. */
  readonly callIdOf: (machine: FleetMachine, order: number) => string
  readonly orders: OrdersOptions
  /** From when on it may have run, milliseconds since 1970: the machine is asked first. Undefined: it has not. */
  readonly resumedFrom: (machine: FleetMachine) => number | undefined
}

/** A command on each machine, once, whoever asks again. */
export function execJob(job: ExecJobOptions): Job<CommandResult> {
  const orders = new Orders(job.orders)
  const outputs = new OutputSpill()
  return {
    mayRepeat: orders.mayRepeat,
    run: async (machine, context) => {
      const deadline = watchdog(job.deadlineMs + SAY_SO_MS, context)
      const { signal, heldBy } = deadline
      const again = context.attempt > 1
      const order = (number: number) => runOnce(job, machine, { signal, heldBy, order: number, again })
      try {
        const ended = await deadline.race(orders.give(machine, context, order))
        return ended.result === null ? ended : { ...ended, result: outputs.spill(ended.result, ['stdout', 'stderr']) }
      } finally {
        deadline.end()
      }
    },
  }
}

async function runOnce(
  { machineOf, command, options, deadlineMs, callIdOf, orders, approvalOf, resumedFrom }: ExecJobOptions,
  machine: FleetMachine,
  { signal, heldBy, order, again }: Pick<Watchdog, 'signal' | 'heldBy'> & { order: number; again: boolean },
): Promise<Done<CommandResult>> {
  const handle = machineOf(machine)
  const callId = callIdOf(machine, order)
  // What may run twice runs where the machine does not remember so far back.
  const from = resumedFrom(machine)
  const since = orders.delivery === 'at-least-once' ? undefined : from
  const before = () => earlier(handle, { callId, since, signal })
  try {
    const ran = again || from !== undefined ? await before() : undefined
    if (ran !== undefined) return done(ran)
    const what = typeof command === 'function' ? command(machine) : command
    try {
      const approval = heldBy(approvalOf(machine) ?? {})
      return done(await handle.exec(what, { ...options, approval, callId, deadlineMs, signal }))
    } catch (cause) {
      if (!isCmdopError(cause) || cause.code !== 'conflict') throw cause
      // The order of somebody who goes on with the same run came first.
      const other = await before()
      if (other === undefined) throw notKnown({ cause })
      return done(other)
    }
  } catch (cause) {
    if (!(cause instanceof ExecError) || cause.result === undefined) throw cause
    return { outcome: outcomeOfError(cause), result: resultOf(cause.result), error: cause }
  }
}

/** How the call ended if the machine has run it; undefined: it has not, which it knows for certain. Throws `unknown` where it does not. */
async function earlier(
  handle: Machine,
  { callId, since, signal }: { callId: string; since: number | undefined; signal: AbortSignal },
): Promise<ExecResult | undefined> {
  try {
    return await resultOfCall(handle, callId, signal)
  } catch (error) {
    if (!isCmdopError(error) || error.code !== 'not_found') throw error
    const { rememberedSince } = error.details
    const remembers = typeof rememberedSince === 'string' ? Date.parse(rememberedSince) : Number.POSITIVE_INFINITY
    if (since === undefined || remembers <= since) return undefined
    throw notKnown({ cause: error, details: { rememberedSince } })
  }
}

/** Waits for a call that still runs. Another script may wait for it, too, and whoever asks last has it: this one asks again later. */
async function resultOfCall(handle: Machine, callId: string, signal: AbortSignal): Promise<ExecResult | undefined> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    try {
      return await handle.execResult?.(callId, { signal })
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'conflict') throw error
      await wait(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
      if (signal.aborted) throw new CmdopError('cancelled', 'It was cancelled.', { details: { confirmed: false } })
    }
  }
}

function notKnown(options: CmdopErrorOptions): CmdopError {
  return new CmdopError(
    'unknown',
    'Whether it ran is not known: the machine does not remember the call, or not so far back. It was not run again.',
    options,
  )
}

function done(result: ExecResult): Done<CommandResult> {
  const outcome: OutcomeName = result.exitCode === 0 ? 'ok' : 'failed'
  return { outcome, result: resultOf(result) }
}

/** What is kept of how a command ended. */
export function resultOf(result: ExecResult): CommandResult {
  const { exitCode, signal, stdout, stderr, stdoutBytes, stderrBytes, durationMs } = result
  const { stdoutTruncated, stderrTruncated, effect = null } = result
  const about = { stdoutBytes, stderrBytes, stdoutTruncated, stderrTruncated, durationMs, effect }
  return { exitCode, signal, stdout, stderr, ...about }
}
