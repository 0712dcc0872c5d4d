import type { EffectInfo, EffectList } from '@cmdop/protocol'
import type { View } from '@cmdop/sandbox'

/** Whose effect it is, and what it is of. */
export type EffectOrigin = Pick<EffectInfo, 'effectId' | 'kind' | 'title' | 'restrictions' | 'createdBy'>

/** Commands that run in a view of their own. */
export interface Transaction {
  readonly origin: EffectOrigin
  readonly view: View
  /** The id under which its effect is kept once it is decided: another one where the session goes on with a fresh view. */
  readonly keptAs: () => string
  /** Where its effect can be decided on while it runs. */
  readonly running?: RunningTransaction
}

/** A transaction whose effect is decided on before it has ended by itself. */
export interface RunningTransaction {
  /** Ends what runs in it, so that it changes no more. Rejects with `conflict` while the session itself is leaving the view. */
  freeze(): Promise<EffectList['sideEffects']>
  /** After `freeze`, also a failed one: its changes are on the disk or forgotten (`gone`), or as they were (`kept`). */
  decided(outcome: 'gone' | 'kept'): Promise<void>
}
