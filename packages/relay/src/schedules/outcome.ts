import { createHash } from 'node:crypto'
import { CmdopError, isCmdopError, type OutcomeName, outcomeOfError, outcomes, toCmdopError } from '@cmdop/protocol'
import type { ScheduleResultRow } from '../store/schedule-store.ts'

/** Milliseconds that a machine goes on with what it was given when nobody listens: in which a relay is there again. */
export const ORPHAN_MS = 120_000

/** Characters of an error that are kept. */
const MAX_ERROR_CHARACTERS = 2000

/** How a try ended on a machine. */
export type Outcome = Pick<
  ScheduleResultRow,
  'exitCode' | 'signal' | 'output' | 'outputTruncated' | 'outputBytes' | 'answer' | 'error' | 'errorCode' | 'approvalId'
> & { readonly status: OutcomeName }

/** Nothing is known of it. */
export const NOTHING: Omit<Outcome, 'status'> = {
  exitCode: null,
  signal: null,
  output: '',
  outputTruncated: false,
  outputBytes: 0,
  answer: null,
  error: '',
  errorCode: null,
  approvalId: null,
}

/** A try that ended with an error. */
export function failedOutcome(cause: unknown, about: Partial<Outcome> = {}): Outcome {
  const error = toCmdopError(cause, 'server', 'The relay met a fault of its own.')
  const { approvalId } = error.details
  return {
    ...NOTHING,
    ...about,
    status: outcomeOfError(error),
    error: error.message.slice(0, MAX_ERROR_CHARACTERS),
    errorCode: error.code,
    approvalId: typeof approvalId === 'string' ? approvalId : null,
  }
}

/** {@link failedOutcome} of a call that a machine has taken, or may have: what is refused later has not stopped it before. */
export function sentOutcome(cause: unknown): Outcome {
  const outcome = failedOutcome(cause)
  return outcomes[outcome.status].mayHaveRun ? outcome : { ...outcome, status: 'unknown' }
}

/** Id of a call: the same for the same try of the same run on the same machine, so that the machine runs it once, whoever asks. */
export function callIdOf(runId: string, machineId: string, attempt: number): string {
  return `sch_${createHash('sha256')
    .update(JSON.stringify([runId, machineId, attempt]))
    .digest('hex')
    .slice(0, 40)}`
}

/** A run that somebody has cancelled. */
export function cancelledError(): CmdopError {
  return new CmdopError('cancelled', 'The run was cancelled; what ran was ended.')
}

/** Whether the way to the machine was lost, and not what is done there. */
export function isLost(error: unknown): error is CmdopError {
  return isCmdopError(error) && (error.code === 'connection' || error.code === 'slow_peer')
}

/** Whether it can be answered later: the machine connects again, or somebody else who asks for the same is done. */
export function isTransient(error: unknown): error is CmdopError {
  return isLost(error) || (isCmdopError(error) && ['unavailable', 'timeout', 'conflict'].includes(error.code))
}
