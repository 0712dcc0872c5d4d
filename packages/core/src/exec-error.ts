import { CmdopError, type CmdopErrorOptions, type ErrorCode } from '@cmdop/protocol'
import type { ExecResult } from './machine.ts'

/** A command that was ended: `deadline` or `cancelled`. What it had put out until then is in `result` when it was awaited. */
export class ExecError extends CmdopError {
  readonly result: ExecResult | undefined

  constructor(code: ErrorCode, message: string, options: CmdopErrorOptions & { result?: ExecResult | undefined } = {}) {
    super(code, message, options)
    this.name = 'ExecError'
    this.result = options.result
  }
}
