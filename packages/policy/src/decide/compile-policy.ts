import { z } from 'zod'
import { CmdopError } from '@cmdop/protocol'
import { type CompiledRule, compileRule } from '../rules/compile-rule.ts'
import { checkExamples } from '../rules/examples.ts'
import {
  type Policy,
  type PolicyInput,
  type PolicyMode,
  type PrincipalKind,
  MAX_RULES,
  Policy as PolicySchema,
  policyModes,
} from '../rules/rule.ts'

/** Where rules come from, the widest first. */
export const policyLayers = ['fleet', 'machine', 'run'] as const
export type PolicyLayer = (typeof policyLayers)[number]

/** The policies that hold for a call. */
export type PolicyLayers = Readonly<Partial<Record<PolicyLayer, PolicyInput | undefined>>>

/** A rule of a layer. */
export interface LayeredRule extends CompiledRule {
  readonly layer: PolicyLayer
}

/** Rules of one kind, found by the program that they are about. */
export interface RuleIndex {
  readonly byProgram: ReadonlyMap<string, readonly LayeredRule[]>
  /** Those about any program, or about calls that are none. */
  readonly others: readonly LayeredRule[]
}

/** Policies that are ready to decide. Immutable: compile again when one of them changes. */
export interface CompiledPolicy {
  readonly mode: (kind: PrincipalKind) => PolicyMode
  readonly deny: RuleIndex
  readonly ask: RuleIndex
  readonly allow: RuleIndex
  readonly ruleCount: number
}

/**
 * Reads the policies of a fleet, a machine and a run, and runs the examples of every rule. All rules hold together, with the strictest mode.
 * Throws `validation` with the rule and the example in its details.
 */
export function compilePolicy(layers: PolicyLayers): CompiledPolicy {
  const rules: LayeredRule[] = []
  const modes: Policy['mode'][] = []
  for (const layer of policyLayers) {
    const given = layers[layer]
    if (given === undefined) continue
    const policy = parsePolicy(given, layer)
    modes.push(policy.mode)
    for (const rule of policy.rules) rules.push(loadRule(rule, layer))
  }
  if (rules.length > MAX_RULES)
    throw new CmdopError(
      'validation',
      `Expected at most ${MAX_RULES} rules in all layers together, got ${rules.length}.`,
    )
  const indexOf = (decision: string) => indexRules(rules.filter(({ rule }) => rule.decision === decision))
  const [deny, ask, allow] = [indexOf('deny'), indexOf('ask'), indexOf('allow')]
  return { mode: (kind) => strictest(modes, kind), deny, ask, allow, ruleCount: rules.length }
}

function parsePolicy(given: PolicyInput, layer: PolicyLayer): Policy {
  const parsed = PolicySchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new CmdopError('validation', `The policy of the ${layer} is not one: ${z.prettifyError(parsed.error)}`, {
    details: { layer },
  })
}

function loadRule(rule: Policy['rules'][number], layer: PolicyLayer): LayeredRule {
  const compiled = compileRule(rule)
  checkExamples(compiled, layer)
  return { ...compiled, layer }
}

function indexRules(rules: readonly LayeredRule[]): RuleIndex {
  const byProgram = new Map<string, LayeredRule[]>()
  const others: LayeredRule[] = []
  for (const rule of rules) {
    if (rule.programs === undefined) others.push(rule)
    for (const program of rule.programs ?? []) byProgram.set(program, [...(byProgram.get(program) ?? []), rule])
  }
  return { byProgram, others }
}

/** The rules that may be about a program, by each of its names. */
export function candidates(index: RuleIndex, names: readonly (string | undefined)[]): readonly LayeredRule[] {
  const found = names.flatMap((name) => (name === undefined ? [] : (index.byProgram.get(name) ?? [])))
  return found.length === 0 ? index.others : [...found, ...index.others]
}

function strictest(modes: readonly Policy['mode'][], kind: PrincipalKind): PolicyMode {
  const given = modes.flatMap((mode) => (typeof mode === 'string' ? mode : (mode?.[kind] ?? [])))
  if (given.length === 0) return 'default'
  return policyModes[Math.max(...given.map((mode) => policyModes.indexOf(mode)))] ?? 'strict'
}
