import { setTimeout as wait } from 'node:timers/promises'
import { type ExecOptions, type ExecResult, ExecError, type Machine } from '@cmdop/core'
import { CmdopError, type CmdopErrorOptions, isCmdopError, type OutcomeName } from '@cmdop/protocol'
import { outcomeOfError } from '../outcomes/classify.ts'
import type { Done, Job } from '../run/conduct.ts'
import type { FleetMachine } from '../run/fleet-row.ts'

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
}

/** Milliseconds after the deadline in which the machine says that it has ended the command: SIGTERM, 2 s, SIGKILL, and the way. */
const SAY_SO_MS = 5000

/** Milliseconds before a call is asked for again that another script waits for. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

export interface ExecJobOptions {
  readonly machineOf: (machine: FleetMachine) => Machine
  readonly command: string | readonly string[] | ((machine: FleetMachine) => string | readonly string[])
  readonly options: Omit<ExecOptions, 'callId' | 'signal' | 'deadlineMs' | 'showIn'>
  readonly deadlineMs: number
  /** The same for the same machine of the same run, so that the machine runs it once. */
  readonly callIdOf: (machine: FleetMachine) => string
  /** When the run began, milliseconds since 1970, if this goes on with one: the machine is asked first whether it ran. */
  readonly resumedFrom: number | undefined
}

/** A command on each machine, once, whoever asks again. */
export function execJob(job: ExecJobOptions): Job<CommandResult> {
  return {
    run: async (machine, { signal, leave, attempt }) => {
      const deadline = watchdog(job.deadlineMs + SAY_SO_MS, { signal, leave })
      try {
        return await deadline.race(runOnce(job, machine, { signal: deadline.signal, again: attempt > 1 }))
      } finally {
        deadline.end()
      }
    },
  }
}

async function runOnce(
  { machineOf, command, options, deadlineMs, callIdOf, resumedFrom }: ExecJobOptions,
  machine: FleetMachine,
  { signal, again }: { signal: AbortSignal; again: boolean },
): Promise<Done<CommandResult>> {
  const handle = machineOf(machine)
  const callId = callIdOf(machine)
  const before = () => earlier(handle, { callId, since: resumedFrom, signal })
  try {
    const ran = again || resumedFrom !== undefined ? await before() : undefined
    if (ran !== undefined) return done(ran)
    const what = typeof command === 'function' ? command(machine) : command
    try {
      return done(await handle.exec(what, { ...options, callId, deadlineMs, signal }))
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

function resultOf(result: ExecResult): CommandResult {
  const { exitCode, signal, stdout, stderr, stdoutBytes, stderrBytes, durationMs } = result
  const { stdoutTruncated, stderrTruncated } = result
  return { exitCode, signal, stdout, stderr, stdoutBytes, stderrBytes, stdoutTruncated, stderrTruncated, durationMs }
}

/** What is not over in time is given up on: the machine keeps the deadline too, and whoever waits for it waits no longer. */
function watchdog(ms: number, { signal, leave }: { signal: AbortSignal; leave: AbortSignal }) {
  const giveUp = new AbortController()
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const timer = setTimeout(() => {
    late.reject(new CmdopError('timeout', `The machine did not say within ${ms} ms how it ended.`))
    giveUp.abort()
  }, ms)
  const left = () => late.reject(new CmdopError('unknown', 'Another script waits for it now.'))
  if (leave.aborted) left()
  leave.addEventListener('abort', left, { once: true })
  return {
    signal: AbortSignal.any([signal, giveUp.signal]),
    race: <Result>(work: Promise<Result>) => Promise.race([work, late.promise]),
    end: () => {
      clearTimeout(timer)
      leave.removeEventListener('abort', left)
    },
  }
}
