import { CmdopError, type ErrorCode, isCmdopError } from '@cmdop/protocol'
import type { CallOutcome } from '../run/run-result.ts'
import type { Tool } from '../tools/tool.ts'

/** How a call ended, for the model, the events and the record. */
export interface CallEnd {
  readonly outcome: CallOutcome
  readonly output: unknown
  /** What the model reads. */
  readonly text: string
  readonly shownBytes: number
  /** The input as it ran, where it is not what the model proposed. */
  readonly executedInput?: unknown
  /** Ends the run, after the call has been written down. */
  readonly fatal?: unknown
  /** Where the gate denied it. */
  readonly denial?: Denial
}

/** A call that was denied. */
export interface Denial {
  readonly digest: string
  readonly rule: string
  readonly reason: string
  readonly remedy: string | null
  /** What the model was told, and is told again. */
  readonly text: string
  /** Times it was asked for again. */
  readonly repeats: number
}

/** Longest text of an error for the model: a path it made up comes back in it. */
const maxErrorCharacters = 2_000

/** A call that did not do what it was asked, with what the model can learn from it. */
export function failedCall(message: string, outcome: CallOutcome = 'error'): CallEnd {
  const text = message.slice(0, maxErrorCharacters)
  return { outcome, output: text, text, shownBytes: 0 }
}

/** Failures of the call itself, which the model can learn from. Every other one ends the run. */
const failuresOfTheCall = new Set<ErrorCode>([
  'validation',
  'permission',
  'not_found',
  'ambiguous',
  'conflict',
  'unsupported',
  'command_not_found',
  'exec_failed',
  'skill_failed',
  'deadline',
  'integrity',
  'no_space',
  'input_overflow',
  'restriction_violated',
  'effect_conflict',
  'approval_denied',
  'approval_void',
  'policy_denied',
])

/** What became of a call whose tool threw. `aborted`: the run was stopped meanwhile. */
export function thrownCall(error: unknown, tool: Tool, signal: AbortSignal): CallEnd {
  if (signal.aborted)
    return { ...failedCall(stoppedText(error, tool), stoppedOutcome(error, tool)), fatal: signal.reason }
  if (!isCmdopError(error)) {
    const fatal = new CmdopError('server', `The tool ${tool.name} met a fault of its own.`, { cause: error })
    return { ...failedCall(`server: ${fatal.message}`, tool.readOnly ? 'error' : 'unknown'), fatal }
  }
  const text = `${error.code}: ${error.message}`
  if (failuresOfTheCall.has(error.code)) return failedCall(text)
  return { ...failedCall(text, lostOutcome(error, tool)), fatal: error }
}

/** A machine that confirmed the end of a command leaves no doubt; without a confirmation there is one. */
function stoppedOutcome(error: unknown, tool: Tool): CallOutcome {
  if (tool.readOnly) return 'cancelled'
  if (!isCmdopError(error)) return 'unknown'
  if (error.details['confirmed'] === true) return 'cancelled'
  return lostOutcome(error, tool)
}

function stoppedText(error: unknown, tool: Tool): string {
  return stoppedOutcome(error, tool) === 'cancelled'
    ? 'cancelled: the run was stopped, and the call with it.'
    : 'unknown: the run was stopped, and what became of the call is not known.'
}

/** Failures before anything ran. */
const neverReached = new Set<ErrorCode>(['unavailable', 'permit', 'auth', 'session_ended'])

/** `lost`: the machine's daemon says that it ended the command. */
function lostOutcome(error: CmdopError, tool: Tool): CallOutcome {
  if (error.code === 'lost' || error.code === 'session_lost') return 'lost'
  if (neverReached.has(error.code)) return 'not-run'
  if (tool.readOnly) return 'error'
  return 'unknown'
}
