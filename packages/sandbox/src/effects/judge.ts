import type { EffectList, Restrictions } from '@cmdop/protocol'

/** What is to become of an effect: applied, or kept for a person to decide on, with what it breaks. */
export type Judgement =
  | { readonly verdict: 'apply' }
  | { readonly verdict: 'refuse'; readonly violations: EffectList['violations'] }

/**
 * Decides on the effect of one command under `noDelete` or `noOverwrite`: the net effect, never the command's text. What runs later is
 * refused too; a person who applies the effect approves it.
 */
export function judge(
  list: Pick<EffectList, 'violations'>,
  { noDelete, noOverwrite }: Pick<Restrictions, 'noDelete' | 'noOverwrite'>,
): Judgement {
  if (!noDelete && !noOverwrite) return { verdict: 'apply' }
  const violations = list.violations.filter(({ rule }) => rule !== 'overwritten' || noOverwrite === true)
  return violations.length === 0 ? { verdict: 'apply' } : { verdict: 'refuse', violations }
}
