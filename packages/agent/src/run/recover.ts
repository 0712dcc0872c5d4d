import { ExecError, type ExecResult, type Machine } from '@cmdop/core'
import { CmdopError, isCmdopError, KEPT_RESULT_BYTES, RememberedSince } from '@cmdop/protocol'
import type { MarkFilter } from './mark-filter.ts'
import type { Running } from './workplace.ts'

/** A command that was in flight when its run stopped. */
interface LostCommand {
  readonly machine: Machine
  readonly call: { readonly callId: string; readonly startedAt: string; readonly signal: AbortSignal | undefined }
  /** Takes out of standard error what carries over. */
  readonly filter: MarkFilter | undefined
  /** Runs it, with the same call id. */
  readonly runNow: () => Running
}

/**
 * What became of a command: the machine is asked. What ended has its real result, what still runs is waited for, and what
 * never arrived is run now; the machine takes a call id once, so that nothing runs twice. Throws `unknown` when the machine
 * cannot say: then it is not run again.
 */
export async function* recover({ machine, call, filter, runNow }: LostCommand): Running {
  const { callId, startedAt, signal } = call
  for (let isSecond = false; ; isSecond = true) {
    let result: ExecResult
    let ended: ExecError | undefined
    try {
      result = await ask(machine, callId, signal)
    } catch (error) {
      if (neverArrived(error, startedAt)) {
        try {
          return yield* runNow()
        } catch (refused) {
          // It was on its way, and has arrived before ours: nothing of ours ran.
          if (isSecond || !isCmdopError(refused) || refused.code !== 'conflict') throw refused
          continue
        }
      }
      if (!(error instanceof ExecError) || error.result === undefined || error.code === 'lost') throw doubt(error)
      result = error.result
      ended = error
    }
    yield* outputOf(result, filter)
    if (ended !== undefined) throw stopped(ended)
    return { ...result, stderrBytes: result.stderrBytes - (filter?.removedBytes ?? 0) }
  }
}

async function ask(machine: Machine, callId: string, signal: AbortSignal | undefined): Promise<ExecResult> {
  if (machine.execResult === undefined)
    throw new CmdopError('unsupported', 'This machine remembers nothing of the commands that ran on it.')
  return machine.execResult(callId, { signal })
}

/** The machine knows every command since before this one began, and not this one. */
function neverArrived(error: unknown, startedAt: string): boolean {
  if (!isCmdopError(error) || error.code !== 'not_found') return false
  const details = RememberedSince.safeParse(error.details)
  return details.success && Date.parse(startedAt) >= Date.parse(details.data.rememberedSince)
}

/** What says nothing of the command. Everything else that failed may be asked again later. */
const saysNothing = new Set(['lost', 'not_found', 'unsupported'])

function doubt(error: unknown): unknown {
  if (!isCmdopError(error) || !saysNothing.has(error.code)) return error
  const why =
    error.code === 'lost'
      ? 'the daemon of the machine ended under it'
      : error.code === 'not_found'
        ? 'the machine does not remember so far back'
        : 'the machine remembers nothing'
  return new CmdopError(
    'unknown',
    `What became of a command that was in flight is not known, because ${why}; it was not run again. Look at what it did before you repeat it.`,
    { cause: error },
  )
}

/** Nobody waited for it any more, so that the machine ended it: its time was over. */
function stopped(error: ExecError): CmdopError {
  if (error.code !== 'cancelled') return error
  return new CmdopError('deadline', 'The command was stopped, because nobody waited for it any more.', { cause: error })
}

function* outputOf({ stdoutData, stderrData, stdoutBytes, stderrBytes }: ExecResult, filter: MarkFilter | undefined) {
  yield* keptOf('stdout', stdoutData, stdoutBytes)
  // The mark is in the last bytes that a shell puts out.
  const shown = filter === undefined ? stderrData : Buffer.concat([filter.push(stderrData), filter.end()])
  yield* keptOf('stderr', shown, stderrBytes - (filter?.removedBytes ?? 0))
}

/** What is left out of a long stream is in the middle of what the machine keeps. */
function* keptOf(stream: 'stdout' | 'stderr', data: Uint8Array, total: number) {
  const skipped = total - data.length
  const headBytes = skipped > 0 ? KEPT_RESULT_BYTES / 2 : data.length
  if (headBytes > 0) yield { stream, data: data.subarray(0, headBytes) }
  if (skipped > 0) yield { stream, data: data.subarray(headBytes), skipped }
}
