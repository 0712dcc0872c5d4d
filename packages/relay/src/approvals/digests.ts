import { createHash } from 'node:crypto'
import { type ApprovableAction, approvableText, planText } from '@cmdop/protocol'
import type { MachineRow } from '../store/store.ts'

/** SHA-256 of what runs on one machine, hex. */
export function digestOf(action: ApprovableAction): string {
  return createHash('sha256').update(approvableText(action)).digest('hex')
}

/** SHA-256 of the actions of a plan, hex. */
export function planDigest(actionDigests: readonly string[]): string {
  return createHash('sha256').update(planText(actionDigests)).digest('hex')
}

/** An operator's own function: the operator's loop holds itself to it, no machine does. */
export function toolAction(machine: MachineRow, params: Record<string, unknown>): ApprovableAction {
  const none = { command: null, cwd: null, environment: [], words: [], files: [], restrictions: {}, effectHash: null }
  return { version: 1, machineId: machine.id, method: 'tool', params, ...none }
}
