import { setTimeout as wait } from 'node:timers/promises'
import type { MachineSummary } from '@cmdop/core'
import type { FleetMachine, FleetRow } from './fleet-row.ts'

/** Milliseconds between two looks at who is there: one listing for all machines that are waited for. */
const LOOK_EVERY_MS = 2000

export interface OfflineQueueOptions {
  /** All machines of the fleet, as they are now. */
  readonly list: (signal: AbortSignal) => AsyncIterable<Pick<MachineSummary, 'id' | 'presence'>>
  /** Until when machines are waited for, milliseconds since 1970. */
  readonly until: number
}

/** Where a machine is in the queue. */
export type Waited = 'back' | 'too-late' | 'stopped'

/** Machines that are offline, until they come back. Whoever waits holds no room of the window. */
export class OfflineQueue {
  readonly #options: OfflineQueueOptions
  /** Those that were not there when they were asked: only a later look counts for them. */
  readonly #away = new Set<string>()
  #looking: Promise<ReadonlySet<string>> | undefined
  #first: Promise<ReadonlySet<string>> | undefined

  constructor(options: OfflineQueueOptions) {
    this.#options = options
  }

  /** Resolves once the machine is there, it is too late for it, or the signal ends the waiting. `waiting`: it has to be waited for. */
  async whenBack(
    { id }: Pick<FleetMachine, 'id'>,
    { signal, waiting }: { readonly signal: AbortSignal; readonly waiting: () => void },
  ): Promise<Waited> {
    this.#first ??= this.#look(signal)
    if (!this.#away.has(id) && (await this.#first).has(id)) return 'back'
    for (waiting(); ;) {
      if (signal.aborted) return 'stopped'
      if (Date.now() >= this.#options.until) return 'too-late'
      if ((await this.#next(signal)).has(id)) return 'back'
    }
  }

  /** Whether the machine is to be waited for, as it was not there after all. Then nothing has run. */
  takes({ machine, error }: FleetRow<unknown>): boolean {
    if (error?.code !== 'unavailable' || Date.now() >= this.#options.until) return false
    this.#away.add(machine.id)
    return true
  }

  /** Who is there in a while; all who wait share one look. */
  #next(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const later = async () => {
      const ms = Math.max(0, Math.min(LOOK_EVERY_MS, this.#options.until - Date.now()))
      await wait(ms, undefined, { signal }).catch(() => {})
      this.#looking = undefined
      return signal.aborted ? new Set<string>() : await this.#look(signal)
    }
    return (this.#looking ??= later())
  }

  async #look(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const present = new Set<string>()
    try {
      for await (const { id, presence } of this.#options.list(signal)) if (presence === 'online') present.add(id)
    } catch {
      // Nobody is known to be there then; the next look asks again, until it is too late.
    }
    return present
  }
}
