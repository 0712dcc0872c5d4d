import { type ApprovableAction, canonicalJson, effectLikeness, type ShownEffect } from '@cmdop/protocol'

/** What is the same on several machines: gives each action the position of the first that is like it. */
export class Alike {
  readonly #first = new Map<string, number>()

  /** `env`: the variables as they were given; of their values only hashes that differ by machine are kept. */
  of(
    action: ApprovableAction,
    { effect, env, position }: { effect: ShownEffect | null; env: unknown; position: number },
  ): number {
    const { machineId: _, environment: __, params, effectHash, ...same } = action
    const change = effect?.list == null ? undefined : effectLikeness(effect.list)
    const what = { ...same, env: env ?? null, ...(change === undefined ? { params, effectHash } : { change }) }
    const text = canonicalJson(what)
    const first = this.#first.get(text)
    if (first === undefined) this.#first.set(text, position)
    return first ?? position
  }
}
