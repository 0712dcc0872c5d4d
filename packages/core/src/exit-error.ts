import type { ExecEnd } from '@cmdop/protocol'
import { ExecError } from './exec-error.ts'
import type { ExecExit, ExecResult } from './machine.ts'

/** What is known beside how a command ended. */
interface Known {
  readonly deadlineMs?: number | undefined
  readonly result?: ExecResult
}

/** The error of a command that did not end by itself. */
export function exitError(
  reason: Exclude<ExecEnd['reason'], 'exited'>,
  exit: ExecExit,
  { deadlineMs, result }: Known,
): ExecError {
  const options = { details: { ...exit, confirmed: true }, ...(result === undefined ? {} : { result }) }
  if (reason === 'deadline') {
    const time = deadlineMs === undefined ? 'its deadline' : `${deadlineMs} ms`
    const how = deadlineMs === undefined ? 'by' : 'within'
    return new ExecError('deadline', `The command did not end ${how} ${time} and was stopped.`, options)
  }
  if (reason === 'lost')
    return new ExecError('lost', 'The daemon of the machine stopped, and ended the command.', options)
  return new ExecError('cancelled', 'The command was cancelled and is gone.', options)
}
