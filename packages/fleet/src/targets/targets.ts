import { CmdopError, OutcomeName, parseSelector, Selector } from '@cmdop/protocol'

/**
 * Which machines: a selector (`role=web,env!=dev`, `web-*`, `web-1 or web-2`), several of them of which any may fit, one as data (see
 * `parseSelector`), or what these are put together to.
 */
export type Targets = string | readonly string[] | Selector | TargetSet

/** Machines by something else than what they are called and labelled, and several kinds of targets at once. */
export type TargetSet =
  /** Every machine of this fleet, by its name or id. It has to be the one that the client's key is of. */
  | { readonly fleet: string }
  /** The machines of a fleet run, by its id or by its report; with `outcomes` those that ended so. */
  | { readonly run: string | FinishedRun; readonly outcomes?: readonly OutcomeName[] }
  | { readonly allOf: readonly Targets[] }
  | { readonly anyOf: readonly Targets[] }
  | { readonly not: Targets }

/** What of a `FleetReport` says which machines there were, and how it ended on each. */
export interface FinishedRun {
  readonly rows: readonly { readonly machine: { readonly id: string }; readonly outcome: OutcomeName }[]
}

/** Targets as they are looked up: each leaf is a selector, or the machines that something else names. */
export type TargetTree =
  | { readonly selector: Selector }
  | { readonly fleet: string }
  | RunTargets
  | { readonly all: readonly TargetTree[] }
  | { readonly any: readonly TargetTree[] }
  | { readonly not: TargetTree }

export interface RunTargets {
  readonly run: string | FinishedRun
  readonly outcomes: readonly OutcomeName[] | undefined
}

/** Throws `validation` for what is no targets. */
export function targetTreeOf(targets: Targets): TargetTree {
  if (typeof targets === 'string') return { selector: parseSelector(targets) }
  if (isList(targets)) return { any: targets.map(targetTreeOf) }
  const selector = Selector.safeParse(targets)
  if (selector.success) return { selector: selector.data }
  if (isObject(targets)) {
    if ('allOf' in targets) return { all: partsOf(targets.allOf) }
    if ('anyOf' in targets) return { any: partsOf(targets.anyOf) }
    if ('not' in targets) return { not: targetTreeOf(targets.not) }
    if ('fleet' in targets && typeof targets.fleet === 'string') return { fleet: targets.fleet }
    if ('run' in targets && (typeof targets.run === 'string' || isObject(targets.run)))
      return { run: targets.run, outcomes: outcomesOf(targets.outcomes) }
  }
  throw new CmdopError(
    'validation',
    'Expected targets as a selector, a list of them, { fleet }, { run, outcomes }, or { allOf }, { anyOf } or { not } of these.',
    { cause: selector.error },
  )
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isList(targets: Targets): targets is readonly string[] {
  return Array.isArray(targets)
}

/** Throws `validation` for none: whether that means all or no machine, nobody knows. */
function partsOf(parts: readonly Targets[]): TargetTree[] {
  if (Array.isArray(parts) && parts.length > 0) return parts.map(targetTreeOf)
  throw new CmdopError('validation', 'Expected allOf and anyOf to be lists of at least one kind of targets.')
}

function outcomesOf(outcomes: readonly OutcomeName[] | undefined): readonly OutcomeName[] | undefined {
  if (outcomes === undefined) return undefined
  const wrong = outcomes.find((name) => !OutcomeName.safeParse(name).success)
  if (wrong === undefined && outcomes.length > 0) return outcomes
  throw new CmdopError('validation', `Expected outcomes of ${OutcomeName.options.join(', ')}, got ${wrong ?? 'none'}.`)
}
