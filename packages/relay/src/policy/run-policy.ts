import { type CompiledPolicy, compilePolicy, Policy, policyModes } from '@cmdop/policy'
import { CmdopError, type RunPolicy } from '@cmdop/protocol'

/** The policy of a run, ready to be laid over that of a machine. */
export interface CompiledRunPolicy {
  readonly mode: RunPolicy['mode']
  readonly compiled: CompiledPolicy
}

/** Compiles the policy of a run and runs its examples. Throws `validation`, also for a rule that allows. */
export function compileRunPolicy({ mode, rules = [] }: RunPolicy): CompiledRunPolicy {
  const compiled = compilePolicy({ run: Policy.safeParse({ rules }).data ?? ({ rules } as object) })
  const allowing = rules.find(({ decision }) => decision === 'allow')
  if (allowing !== undefined)
    throw new CmdopError(
      'validation',
      `The policy of a run only tightens, and its rule ${String(allowing['id'])} allows; put it into the policy of the fleet or the machine.`,
    )
  return { mode, compiled }
}

/** All rules of both hold, with the stricter mode. */
export function tightened(base: CompiledPolicy, { mode, compiled }: CompiledRunPolicy): CompiledPolicy {
  const rank = (each: (typeof policyModes)[number]) => policyModes.indexOf(each)
  return {
    mode: (kind) => (mode !== undefined && rank(mode) > rank(base.mode(kind)) ? mode : base.mode(kind)),
    deny: joined(base.deny, compiled.deny),
    ask: joined(base.ask, compiled.ask),
    allow: base.allow,
    ruleCount: base.ruleCount + compiled.ruleCount,
  }
}

function joined(one: CompiledPolicy['deny'], other: CompiledPolicy['deny']): CompiledPolicy['deny'] {
  const byProgram = new Map(one.byProgram)
  for (const [program, rules] of other.byProgram) byProgram.set(program, [...(byProgram.get(program) ?? []), ...rules])
  return { byProgram, others: [...one.others, ...other.others] }
}
