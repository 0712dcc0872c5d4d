import { once } from 'node:events'
import type { FleetRunAppended } from '@cmdop/core'
import type { FleetRunWait } from '@cmdop/protocol'
import type { Holds } from '../run/conduct.ts'

export interface PersonHoldsOptions {
  /** How the run stood when it was claimed. */
  readonly wait: FleetRunWait | null
  readonly continuedWave: number
  /** Writes down what the run waits for. */
  readonly write: (wait: FleetRunWait) => Promise<void>
  /** It waits, or goes on. */
  readonly changed: (wait: FleetRunWait | null) => void
}

/** What the ledger says of people who hold the run: a check of a wave has asked for one, or somebody has paused it. */
export class PersonHolds implements Holds {
  readonly #options: PersonHoldsOptions
  readonly #changes = new EventTarget()
  #wait: FleetRunWait | null
  #continuedWave: number

  constructor(options: PersonHoldsOptions) {
    this.#options = options
    this.#wait = options.wait?.for === 'person' ? options.wait : null
    this.#continuedWave = options.continuedWave
    if (this.#wait !== null) options.changed(this.#wait)
  }

  /** What the ledger says now. */
  told({ wait, continuedWave }: Pick<FleetRunAppended, 'wait' | 'continuedWave'>): void {
    const held = wait?.for === 'person' ? wait : null
    const isChanged = (held === null) !== (this.#wait === null)
    this.#wait = held
    this.#continuedWave = continuedWave
    if (!isChanged) return
    this.#options.changed(held)
    this.#changes.dispatchEvent(new Event('change'))
  }

  free(signal: AbortSignal): Promise<void> | undefined {
    return this.#wait === null ? undefined : this.#whenFree(signal)
  }

  async pause(wave: number, reason: string, signal: AbortSignal): Promise<void> {
    await this.#options.write({ for: 'person', wave, reason })
    await this.free(signal)
  }

  isContinued(wave: number): boolean {
    return wave <= this.#continuedWave
  }

  async #whenFree(signal: AbortSignal): Promise<void> {
    while (this.#wait !== null && !signal.aborted) await once(this.#changes, 'change', { signal }).catch(() => {})
  }
}
