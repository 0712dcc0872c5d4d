import { commandText } from '@cmdop/protocol'
import type { PrincipalKind } from '../rules/rule.ts'
import type { PolicyCall } from './call.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import { type Decided, decide } from './decide.ts'

/** A call that is tried out: a command of an AI operator, or more where that is said. */
export type SimulatedCall =
  | string
  | readonly string[]
  | (Partial<PolicyCall> & { readonly principalKind?: PrincipalKind })

/** What would become of a call. */
export interface SimulationRow {
  /** As people read it. */
  readonly call: string
  readonly decided: Decided
}

/** What would become of each of these calls; nothing runs. */
export function simulate(policy: CompiledPolicy, calls: readonly SimulatedCall[]): SimulationRow[] {
  return calls.map((given) => {
    const call = callOf(given)
    return { call: textOf(call), decided: decide(policy, call) }
  })
}

function callOf(given: SimulatedCall): PolicyCall {
  if (typeof given === 'string' || isArgv(given)) return { tool: 'exec', principalKind: 'ai', command: given }
  return { tool: 'exec', principalKind: 'ai', ...given }
}

function isArgv(given: SimulatedCall): given is readonly string[] {
  return Array.isArray(given)
}

function textOf({ tool, command, paths = [] }: PolicyCall): string {
  if (command === undefined) return [tool, ...paths].join(' ')
  return commandText(typeof command === 'string' ? command : [...command])
}
