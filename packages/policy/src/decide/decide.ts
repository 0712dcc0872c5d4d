import { type Danger, type DangerLevel, NO_DANGER, worseDanger } from '../classify/danger-level.ts'
import { type CommandClass, type Verdict, unclear, worst } from '../classify/command-class.ts'
import { CALLS_ITSELF } from '../parse/walk.ts'
import type { SimpleCommand } from '../parse/simple-command.ts'
import type { PolicyDecision } from '../rules/rule.ts'
import type { PolicyCall } from './call.ts'
import {
  type CompiledPolicy,
  type LayeredRule,
  type PolicyLayer,
  type RuleIndex,
  candidates,
} from './compile-policy.ts'
import { decidesOnItself } from './methods.ts'
import { permittedBy } from './permitted-by.ts'
import { type JudgedSubject, type Subjects, subjectsOf } from './subjects.ts'
import { heldBy } from './held-by.ts'

/** What is decided about a call, with all that an approval or an audit row shows. */
export interface Decided {
  readonly decision: PolicyDecision
  /** The id of the rule; `floor:...`, `mode:...`, `class:read`, or `restriction:...` where it was none. */
  readonly rule: string
  readonly layer: PolicyLayer | 'floor' | 'mode' | 'restriction'
  /** One sentence. */
  readonly reason: string
  readonly class: CommandClass
  readonly danger: DangerLevel
  /** One sentence. */
  readonly dangerReason: string
  /** The simple commands of a command, as they would run; those that only run others are marked. */
  readonly commands: readonly SimpleCommand[]
  /** What would permit it, in one sentence; empty for what is allowed. */
  readonly permittedBy: string
  /** Whether something is deleted: no remembered grant covers it. */
  readonly deleting: boolean
}

/** A decision with where it comes from. */
export type Ruling = Pick<Decided, 'decision' | 'rule' | 'layer' | 'reason'>

/** What is known of a call before any rule is asked. */
export interface Judged extends Subjects {
  readonly verdict: Verdict
  readonly danger: Danger
}

/**
 * Decides whether a call runs, is asked about or is refused: the floor, then `deny`, `ask` and `allow` rules, then the mode. Never throws; what
 * it cannot understand is asked about.
 */
export function decide(policy: CompiledPolicy, call: PolicyCall): Decided {
  const judged = judge(call)
  const ruling = rule(policy, call, judged)
  const { verdict, danger, subjects } = judged
  return {
    ...ruling,
    class: verdict.class,
    danger: danger.level,
    dangerReason: danger.reason,
    commands: subjects.flatMap(({ command }) => command?.parsed ?? []),
    permittedBy: ruling.decision === 'allow' ? '' : permittedBy(ruling, call, judged),
    deleting: verdict.class === 'delete',
  }
}

function judge(call: PolicyCall): Judged {
  const found = subjectsOf(call)
  const { subjects, problem, environment } = found
  const verdicts = subjects.map(({ verdict }) => verdict)
  if (environment.class !== 'read') verdicts.push(environment)
  let danger = NO_DANGER
  for (const subject of subjects) danger = worseDanger(danger, subject.danger)
  if (problem !== undefined) {
    verdicts.push(unclear(`is not understood: ${problem}`))
    const level = problem === CALLS_ITSELF ? 'critical' : 'high'
    danger = worseDanger(danger, { level, reason: `Nobody can say what it does: ${problem}.` })
  }
  if (environment.class !== 'read')
    danger = worseDanger(danger, { level: 'medium', reason: `The call ${environment.reason}.` })
  return { ...found, verdict: worst(verdicts), danger }
}

function rule(policy: CompiledPolicy, call: PolicyCall, judged: Judged): Ruling {
  if (call.principalKind === 'ai' && decidesOnItself(call.tool))
    return floor('deny', 'own-permission', 'An AI operator never decides what it may do itself.')
  const denied = firstFitting(policy.deny, judged.subjects)
  if (denied !== undefined) return byRule(denied)
  const asked = firstFitting(policy.ask, judged.subjects)
  if (asked !== undefined) return byRule(asked)
  const mode = policy.mode(call.principalKind)
  const held = heldBy(call, judged)
  const allowed = allowedBy(policy, judged, mode === 'strict')
  if (held === undefined) {
    if (judged.danger.level === 'critical') return floor('ask', 'catastrophic', judged.danger.reason)
    if (judged.problem !== undefined && mode === 'default')
      return floor('ask', 'not-understood', `The command is not understood: ${judged.problem}.`)
  }
  if (allowed !== undefined) return byRule(allowed)
  if (mode === 'strict') return byMode('deny', 'strict', 'No rule allows it, and what no rule allows is denied.')
  if (held !== undefined)
    return {
      decision: 'allow',
      rule: `restriction:${held}`,
      layer: 'restriction',
      reason: `The kernel holds ${held}, so that it does no harm.`,
    }
  if (mode === 'bypass') return byMode('allow', 'bypass', 'What no rule is about is allowed.')
  if (judged.verdict.class === 'read')
    return { decision: 'allow', rule: 'class:read', layer: 'mode', reason: 'It only reads.' }
  return byMode('ask', 'default', reasonOf(judged))
}

function reasonOf({ verdict, subjects, environment }: Judged): string {
  const worstSubject = subjects.find((subject) => subject.verdict === verdict)
  if (worstSubject === undefined)
    return verdict === environment ? `The call ${verdict.reason}.` : `It ${verdict.reason}.`
  const name = worstSubject.command === undefined ? worstSubject.tool : (worstSubject.command.name ?? 'It')
  return `${name} ${verdict.reason}.`
}

function firstFitting(index: RuleIndex, subjects: readonly JudgedSubject[]): LayeredRule | undefined {
  if (index.byProgram.size === 0 && index.others.length === 0) return undefined
  for (const subject of subjects) {
    const found = candidatesFor(index, subject).find(({ fits }) => fits(subject))
    if (found !== undefined) return found
  }
  return undefined
}

function candidatesFor(index: RuleIndex, { command }: JudgedSubject): readonly LayeredRule[] {
  if (command === undefined) return index.others
  const { name, baseName } = command
  return candidates(index, name === baseName ? [name] : [name, baseName])
}

/** The rule that allows a call; all of its parts have to be allowed, or to read where that needs no rule. */
function allowedBy(policy: CompiledPolicy, judged: Judged, isStrict: boolean): LayeredRule | undefined {
  const { subjects, problem, environment } = judged
  if (problem !== undefined || environment.class !== 'read') return undefined
  let first: LayeredRule | undefined
  for (const subject of subjects) {
    const found = candidatesFor(policy.allow, subject).find(({ fits }) => fits(subject))
    first ??= found
    if (found === undefined && !subject.isTransparent && (isStrict || subject.class !== 'read')) return undefined
  }
  return first
}

function byRule({ rule: { id, decision, reason }, layer }: LayeredRule): Ruling {
  return { decision, rule: id, layer, reason: reason ?? `The rule ${id} of the ${layer} says so.` }
}

function byMode(decision: PolicyDecision, mode: string, reason: string): Ruling {
  return { decision, rule: `mode:${mode}`, layer: 'mode', reason }
}

function floor(decision: PolicyDecision, name: string, reason: string): Ruling {
  return { decision, rule: `floor:${name}`, layer: 'floor', reason }
}
