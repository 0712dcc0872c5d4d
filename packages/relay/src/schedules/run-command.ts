import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, CmdopError, ExecEnd, isCmdopError, RememberedSince } from '@cmdop/protocol'
import type { ScheduleWork } from '../store/schedule-store.ts'
import type { LinkCall, MachineLink } from './machine-link.ts'
import {
  cancelledError,
  failedOutcome,
  isLost,
  isTransient,
  NOTHING,
  ORPHAN_MS,
  type Outcome,
  sentOutcome,
} from './outcome.ts'
import { OutputTail } from './output-tail.ts'

/** Milliseconds in which a machine that was lost is asked how a command ended, and between two questions. */
const ASK_WITHIN_MS = 120_000
const ASK_EVERY_MS = 500

/** Milliseconds a cancelled command may take to be gone: SIGTERM, 2 s, SIGKILL, and the way. */
const CANCEL_CONFIRM_MS = 10_000

/** A command on one machine. */
export interface CommandCall {
  readonly link: MachineLink
  readonly machineId: string
  readonly callId: string
  readonly work: ScheduleWork
  /** Ends its process group. */
  readonly cancelled: AbortSignal
  /** The relay ends: what runs is left to the next one. */
  readonly leaving: AbortSignal
}

/** Runs a command once. Where the way to the machine is lost meanwhile, the machine is asked how it ended; it is never sent again. */
export async function runCommand(call: CommandCall): Promise<Outcome> {
  const startedAt = new Date().toISOString()
  let channel: Channel
  try {
    channel = await call.link.open(execOf(call))
  } catch (error) {
    return isLost(error) ? await askForCommand(call, startedAt) : failedOutcome(error)
  }
  try {
    return await readEnd(call, channel, () => endGroup(channel))
  } catch (error) {
    // It was sent: whatever took the channel away, it is asked for.
    return isTransient(error) && !call.leaving.aborted ? await askForCommand(call, startedAt) : sentOutcome(error)
  }
}

/** How a command ended that was sent before, maybe; `startedAt`: not before then. */
export async function askForCommand(call: CommandCall, startedAt: string): Promise<Outcome> {
  const until = Date.now() + ASK_WITHIN_MS
  for (;;) {
    try {
      const { machineId: target, callId } = call
      const channel = await call.link.open({ method: 'exec.result', target, callId, params: {} })
      // Who gives up on it ends it.
      return await readEnd(call, channel, () => channel.reset(cancelledError()))
    } catch (error) {
      const isOver = Date.now() > until || call.leaving.aborted
      if (isOver) return failedOutcome(unknownEnd(error))
      if (!isTransient(error)) return isCode(error, 'not_found') ? neverSent(error, startedAt) : sentOutcome(error)
      await sleep(ASK_EVERY_MS, undefined, { signal: call.leaving }).catch(() => {})
    }
  }
}

function execOf({ machineId: target, callId, work }: CommandCall): LinkCall {
  const { command, restrictions, timeout_seconds: seconds } = work
  const params = { command, keepResult: true, orphanMs: ORPHAN_MS, ...(restrictions === null ? {} : { restrictions }) }
  return { method: 'exec', target, callId, params, deadlineMs: seconds * 1000 }
}

async function readEnd({ work, cancelled }: CommandCall, channel: Channel, cancel: () => void): Promise<Outcome> {
  const tail = new OutputTail(work.max_output_bytes)
  cancelled.addEventListener('abort', cancel, { once: true })
  if (cancelled.aborted) cancel()
  try {
    for await (const { data } of channel) tail.add(data)
    const end = ExecEnd.parse(await channel.finished)
    await channel.end()
    return outcomeOf(end, tail)
  } finally {
    cancelled.removeEventListener('abort', cancel)
  }
}

/** Asks the machine to end the process group; what it does not confirm in time is not known. */
function endGroup(channel: Channel): void {
  channel.control({ type: 'cancel' }).catch(() => {})
  const timer = setTimeout(() => {
    channel.reset(new CmdopError('unknown', 'Cancelled, but the machine did not confirm in time that it is gone.'))
  }, CANCEL_CONFIRM_MS)
  const clear = () => clearTimeout(timer)
  channel.finished.then(clear, clear)
}

function outcomeOf({ reason, exitCode, signal, stdoutBytes, stderrBytes, effect }: ExecEnd, tail: OutputTail): Outcome {
  const bytes = Math.max(tail.bytes, stdoutBytes + stderrBytes)
  const output = { output: tail.text(), outputTruncated: tail.isTruncated || bytes > tail.bytes, outputBytes: bytes }
  const about = { ...NOTHING, ...output, exitCode, signal }
  if (reason === 'deadline')
    return {
      ...about,
      status: 'timeout',
      errorCode: 'deadline',
      error: 'It did not end in time; the machine ended it.',
    }
  if (reason === 'cancelled')
    return { ...about, status: 'cancelled', errorCode: 'cancelled', error: 'It was cancelled; its processes are gone.' }
  if (reason === 'lost')
    return { ...about, status: 'lost', errorCode: 'lost', error: 'The daemon of the machine ended under it.' }
  if (effect?.refusal !== undefined)
    return {
      ...about,
      status: 'failed',
      errorCode: 'restriction_violated',
      error: 'What it did breaks a restriction; nothing of it was applied.',
    }
  if (exitCode === 0) return { ...about, status: 'ok' }
  const how = exitCode === null ? `signal ${signal ?? '?'}` : `exit code ${exitCode}`
  return { ...about, status: 'failed', error: `It ended with ${how}.` }
}

/** What `not_found` says: a machine that remembers the time has never got it. */
function neverSent(error: CmdopError, startedAt: string): Outcome {
  const since = RememberedSince.safeParse(error.details).data?.rememberedSince
  if (since === undefined || Date.parse(since) > Date.parse(startedAt)) return failedOutcome(unknownEnd(error))
  const message = 'It has never reached the machine; nothing ran, and it is not sent again.'
  return failedOutcome(new CmdopError('unavailable', message))
}

function isCode(error: unknown, code: CmdopError['code']): error is CmdopError {
  return isCmdopError(error) && error.code === code
}

function unknownEnd(cause: unknown): CmdopError {
  return new CmdopError('unknown', 'How it ended is not known, and it is not run again; look at the machine.', {
    cause,
  })
}
