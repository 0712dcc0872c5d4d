import { CmdopError } from '@cmdop/protocol'
import type { RunRecord, RunStatus } from './run-result.ts'

/**
 * A run that did not complete. `code` says why; `result` is the whole record, with the text, steps, tool calls and usage
 * up to then. It is retryable only if the code is, and if no tool was called yet.
 */
export class RunError extends CmdopError {
  readonly result: RunRecord & { readonly status: Exclude<RunStatus, 'completed'> }
  override readonly retryable: boolean

  constructor(error: CmdopError, result: RunError['result']) {
    const untouched = result.toolCalls.length === 0
    super(error.code, error.message, {
      cause: error.cause,
      details: error.details,
      idempotent: untouched,
      ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    })
    this.name = 'RunError'
    this.result = result
    this.retryable = untouched && error.retryable
  }
}
