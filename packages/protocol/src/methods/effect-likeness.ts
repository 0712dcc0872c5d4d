import { canonicalJson } from '../messages/canonical-json.ts'
import type { Effect, EffectList } from './effects.ts'

/**
 * A text that is equal for effects which change the same on several machines, contents included: all but the times of files.
 * Undefined where not all of an effect is listed, so that it is like no other.
 */
export function effectLikeness({ effects, counts, ...list }: EffectList): string | undefined {
  if (list.truncated || effects.some(({ collapsed }) => collapsed !== undefined)) return undefined
  const { violations, sideEffects, unpreviewable } = list
  return canonicalJson({ effects: effects.map(timeless), counts, violations, sideEffects, unpreviewable })
}

function timeless({ before, after, ...effect }: Effect): object {
  const without = (state: Effect['before']) => (state === undefined ? null : { ...state, mtimeMs: 0 })
  return { ...effect, before: without(before), after: without(after) }
}
