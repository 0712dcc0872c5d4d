import type { EffectDetails, EffectInfo, EffectPage } from '@cmdop/protocol'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** `machine.effects`: what restricted sessions and commands would change, or have changed. Of a session, its id is the effect's. */
export interface MachineEffects {
  /** The effects that the machine keeps, the newest first. `limit` default 100, at most 200. */
  list(options?: Cancellable & { limit?: number }): Promise<readonly EffectInfo[]>
  /** Each of them. `limit` default 200, which is all that a machine lists. */
  iter(options?: Cancellable & { limit?: number }): AsyncGenerator<EffectInfo>
  /** Every page: all are on one. `limit` as of `iter`. */
  pages(options?: Cancellable & { limit?: number }): AsyncGenerator<EffectPage>
  /** One effect with its changes; of a session that goes on, as they are now. Throws `not_found`. */
  get(effectId: string, options?: Cancellable): Promise<EffectDetails>
  /**
   * Puts the effect with exactly this hash in place: what was shown, or nothing. What still runs in its view is ended first; where
   * the session goes on, with a fresh view, the answer has another `effectId`, for `undo`. Throws `effect_conflict`, with the
   * paths in `details`, when the view or the disk is not what was shown, and `conflict` for one that is decided already.
   */
  apply(effectId: string, effectHash: string, options?: Cancellable): Promise<EffectInfo>
  /** Forgets the effect: nothing of it reaches the disk. What still runs in its view is ended first. */
  discard(effectId: string, options?: Cancellable): Promise<EffectInfo>
  /** Takes an applied effect back. Throws `effect_conflict` when the disk was changed since. */
  undo(effectId: string, options?: Cancellable): Promise<EffectInfo>
}

export type {
  Effect,
  EffectDetails,
  EffectInfo,
  EffectList,
  EffectPage,
  EffectRefusal,
  EffectState,
  EffectSummary,
  FileState,
  MachineCapabilities,
  RestrictionCapability,
  Restrictions,
  RestrictionsInput,
} from '@cmdop/protocol'
