import {
  CmdopError,
  type CmdopErrorOptions,
  type EffectRefusal,
  type EffectSummary,
  type ErrorCode,
} from '@cmdop/protocol'
import type { ExecExit, ExecResult } from './machine.ts'

/**
 * A command that was ended, `deadline` or `cancelled`, or whose effect was not applied: `restriction_violated`, `effect_conflict`
 * and others, with `effectId`, `hash`, `paths` and `pathCount` in `details`. What it had put out is in `result` when it was awaited.
 */
export class ExecError extends CmdopError {
  readonly result: ExecResult | undefined

  constructor(code: ErrorCode, message: string, options: CmdopErrorOptions & { result?: ExecResult | undefined } = {}) {
    super(code, message, options)
    this.name = 'ExecError'
    this.result = options.result
  }
}

/** The error of a command that has run, and whose effect was not applied. `result`: where its output is known. */
export function refusedError(
  exit: ExecExit,
  { effectId, hash }: EffectSummary,
  { refusal, result }: { readonly refusal: EffectRefusal; readonly result?: ExecResult },
): ExecError {
  const { code, message, paths, pathCount } = refusal
  return new ExecError(code, message, { details: { ...exit, effectId, hash, paths, pathCount }, result })
}
