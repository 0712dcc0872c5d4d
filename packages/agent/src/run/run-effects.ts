import type { EffectSummary, Machine } from '@cmdop/core'
import { EffectSummary as Summary, isCmdopError } from '@cmdop/protocol'
import { refusedEffectOf } from '../tools/refused-effect.ts'

/** What the calls of a run under restrictions changed, or would change. */
export class RunEffects {
  readonly #found = new Map<string, EffectSummary>()
  readonly #asked = new Set<string>()
  #taken = 0
  readonly #onEffect: (effect: EffectSummary) => void

  constructor(onEffect: (effect: EffectSummary) => void = () => {}) {
    this.#onEffect = onEffect
  }

  /** In the order in which they became known. */
  get list(): readonly EffectSummary[] {
    return [...this.#found.values()]
  }

  /** Of a call that has ended; undefined: it has none. */
  add(effect: EffectSummary | undefined): void {
    if (effect === undefined || this.#found.has(effect.effectId)) return
    this.#found.set(effect.effectId, effect)
    this.#onEffect(effect)
  }

  /** Of a call that failed, where its error names one. */
  addOf(error: unknown): void {
    const known = isCmdopError(error) ? Summary.safeParse(error.details['effect']).data : undefined
    this.add(known)
    const effectId = known === undefined ? refusedEffectOf(error)?.effectId : undefined
    if (effectId !== undefined) this.#asked.add(effectId)
  }

  /** Those that became known since the last time. */
  takeNew(): readonly EffectSummary[] {
    const found = this.list.slice(this.#taken)
    this.#taken += found.length
    return found
  }

  /**
   * Asks the machine for those of which only the id is known, and for that of the session. Resolves with what could not be found
   * out. Never rejects.
   */
  async complete(
    machine: Pick<Machine, 'effects'>,
    sessionId: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    try {
      await this.#complete(machine, sessionId, signal)
      return []
    } catch (error) {
      return [unreadEffects(error)]
    }
  }

  async #complete({ effects }: Pick<Machine, 'effects'>, sessionId: string, signal: AbortSignal): Promise<void> {
    for (const effectId of [...this.#asked, sessionId]) {
      if (this.#found.has(effectId)) continue
      try {
        const details = await effects?.get(effectId, { signal })
        const { state, counts = {}, hash } = { ...details?.info, hash: details?.info.hash ?? details?.list?.hash }
        const { refusal } = details?.info ?? {}
        // Of one that still changes, as it is now.
        const isOpen = state === 'open'
        if (state !== undefined && hash !== undefined)
          this.add({
            effectId,
            state,
            hash,
            counts: isOpen ? (details?.list?.counts ?? {}) : counts,
            ...(refusal && { refusal }),
          })
      } catch (error) {
        // What changed nothing has no effect.
        if (!isCmdopError(error) || error.code !== 'not_found') throw error
      }
    }
  }
}

/** Said of effects that could not be found out. */
export function unreadEffects(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return `What the run would change is kept by the machine, and could not be read: ${reason}`
}
