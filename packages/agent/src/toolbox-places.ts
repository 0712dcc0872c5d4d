import type { EffectSummary, Machine, Restrictions } from '@cmdop/core'
import { randomUUID } from 'node:crypto'
import { isRestricted } from '@cmdop/protocol'
import { bareWorkplace, createWorkplace, type Workplace } from './run/workplace.ts'

/** What holds for all calls of a toolbox. */
interface PlaceOptions {
  readonly restrictions: readonly Restrictions[]
  readonly onEffect: ((effect: EffectSummary, machine: Machine) => void) | undefined
}

/** Where the calls of a toolbox work: without restrictions each by itself, else on each machine in one session. */
export class ToolboxPlaces implements AsyncDisposable {
  /** Whether there is something to hold. */
  readonly isHeld: boolean
  readonly #options: PlaceOptions
  /** By machine. */
  readonly #open = new Map<string, Workplace>()

  constructor(options: PlaceOptions) {
    this.#options = options
    this.isHeld = options.restrictions.some(isRestricted)
  }

  /** The one on a machine. Nothing is opened yet. */
  on(machine: Machine): Workplace {
    if (!this.isHeld) return bareWorkplace(machine)
    const known = this.#open.get(machine.id)
    if (known !== undefined) return known
    const prompt = 'Tools of a machine for another agent.'
    const { restrictions, onEffect } = this.#options
    const place = createWorkplace(machine, {
      prompt,
      runId: randomUUID(),
      restrictions,
      onEffect: (effect) => onEffect?.(effect, machine),
    })
    this.#open.set(machine.id, place)
    return place
  }

  /** The session of this one is over: the next call has another. */
  async leave(machine: Machine, place: Workplace): Promise<void> {
    if (this.#open.get(machine.id) === place) this.#open.delete(machine.id)
    await place.close()
  }

  /** Ends every session, and tells of what was changed in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const places = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(places.map((place) => place.close()))
  }
}
