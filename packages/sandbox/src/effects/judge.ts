import type { EffectList, Restrictions } from '@cmdop/protocol'

/** What is to become of an effect: applied, or kept for a person to decide on, with what it breaks. */
export type Judgement =
  | { readonly verdict: 'apply' }
  | { readonly verdict: 'refuse'; readonly violations: EffectList['violations'] }

/**
 * Decides on the effect of one command under `noDelete` or `noOverwrite`: the net effect, never the command's text. `approveDeferred`: rules
 * of what runs later that a person has approved, or all of them.
 */
export function judge(
  list: Pick<EffectList, 'violations'>,
  { noDelete, noOverwrite }: Pick<Restrictions, 'noDelete' | 'noOverwrite'>,
  approveDeferred: boolean | readonly string[] = false,
): Judgement {
  if (!noDelete && !noOverwrite) return { verdict: 'apply' }
  const violations = list.violations.filter(({ rule }) => {
    if (rule === 'overwritten') return noOverwrite === true
    return !rule.startsWith('deferred') || !isApproved(rule, approveDeferred)
  })
  return violations.length === 0 ? { verdict: 'apply' } : { verdict: 'refuse', violations }
}

function isApproved(rule: string, approved: boolean | readonly string[]): boolean {
  return typeof approved === 'boolean' ? approved : approved.includes(rule.slice('deferred:'.length))
}
