import pLimit, { type LimitFunction } from 'p-limit'

/** Calls to machines at once, of all runs of one relay. */
const MAX_CALLS = 2000

/** Those of one fleet: others have room beside it, whatever it does. */
const MAX_CALLS_OF_FLEET = 500

/** Bounds how many calls schedules make at once. Whoever waits for people has no slot meanwhile. */
export class CallSlots {
  readonly #all: LimitFunction
  readonly #ofFleet: number
  readonly #fleets = new Map<string, LimitFunction>()

  constructor({ all = MAX_CALLS, ofFleet = MAX_CALLS_OF_FLEET }: { all?: number; ofFleet?: number } = {}) {
    this.#all = pLimit(all)
    this.#ofFleet = ofFleet
  }

  /** Runs it once the fleet and the relay have a slot. */
  async run<Result>(fleetId: string, call: () => Promise<Result>): Promise<Result> {
    const own = this.#fleets.get(fleetId) ?? pLimit(this.#ofFleet)
    this.#fleets.set(fleetId, own)
    try {
      return await own(() => this.#all(call))
    } finally {
      if (own.activeCount + own.pendingCount === 0) this.#fleets.delete(fleetId)
    }
  }
}
