import { z } from 'zod'
import { ExecAttachParams, ExecParams } from './exec.ts'
import { FileListParams, FileReadParams } from './files.ts'

/** The lane on which a method with one answer sends it. */
export const ANSWER_LANE = 1

/** Bytes of one JSON answer at most. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/** Parameters of `facts`: none. The answer is a {@link Facts} as JSON on lane 1. */
export const FactsParams = z.strictObject({})

/**
 * What a client can ask of a machine: the schema of its parameters, and the action that it needs the right to.
 * `repeatable` = sending it again cannot act twice (a call id makes `exec` so, see `exec.attach`).
 */
export const methods = {
  exec: { params: ExecParams, action: 'machine.exec', repeatable: false },
  'exec.attach': { params: ExecAttachParams, action: 'machine.exec', repeatable: true },
  facts: { params: FactsParams, action: 'machine.facts', repeatable: true },
  'file.read': { params: FileReadParams, action: 'file.read', repeatable: true },
  'file.list': { params: FileListParams, action: 'file.read', repeatable: true },
} as const

export type MethodName = keyof typeof methods

export function isMethodName(value: string): value is MethodName {
  return Object.hasOwn(methods, value)
}
