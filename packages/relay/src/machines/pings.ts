import { randomUUID } from 'node:crypto'
import type { Bus } from '../bus/bus.ts'
import type { Router } from '../channel/router.ts'
import type { MachineRow } from '../store/store.ts'

/** How long each machine took to answer, milliseconds, by its id. */
export type RoundTrips = ReadonlyMap<string, number>

export interface PingsOptions {
  readonly router: Pick<Router, 'local' | 'row'>
  readonly bus: Bus
}

/** Asks machines for a sign of life now, whichever relay they are connected to. Nothing is done there. */
export class Pings implements Disposable {
  readonly #options: PingsOptions
  /** Of this relay, by their ids. */
  readonly #waiting = new Map<string, (machineId: string) => void>()
  readonly #stop: () => void

  constructor(options: PingsOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'ping') this.#answer(message.pingId, message.machineIds)
      else if (message.type === 'pong') this.#waiting.get(message.pingId)?.(message.machineId)
    })
  }

  /** The row of a machine that is connected to this relay. */
  connected(machineId: string): MachineRow | undefined {
    return this.#options.router.row(machineId)
  }

  /** Resolves when all have answered, and at the latest after `timeoutMs` with those that have. */
  async ping(machineIds: readonly string[], timeoutMs: number): Promise<RoundTrips> {
    const began = performance.now()
    const tookMs = new Map<string, number>()
    const all = Promise.withResolvers<void>()
    const missing = new Set(machineIds)
    const answered = (machineId: string) => {
      if (!missing.delete(machineId)) return
      tookMs.set(machineId, performance.now() - began)
      if (missing.size === 0) all.resolve()
    }
    const pingId = randomUUID()
    this.#waiting.set(pingId, answered)
    const timer = setTimeout(all.resolve, timeoutMs)
    try {
      const { router, bus } = this.#options
      const elsewhere = machineIds.filter((machineId) => !router.local.has(machineId))
      for (const machineId of machineIds) this.#pingLocal(machineId, answered)
      if (missing.size === 0) all.resolve()
      if (elsewhere.length > 0) await bus.publish({ type: 'ping', pingId, machineIds: elsewhere })
      await all.promise
      return tookMs
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(pingId)
    }
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #pingLocal(machineId: string, answered: (machineId: string) => void): void {
    void this.#options.router.local
      .get(machineId)
      ?.link.ping()
      .then((isAlive) => {
        if (isAlive) answered(machineId)
      })
  }

  /** Another relay asks; this one answers for the machines that it holds. Its own are asked already. */
  #answer(pingId: string, machineIds: readonly string[]): void {
    if (this.#waiting.has(pingId)) return
    for (const machineId of machineIds)
      this.#pingLocal(machineId, () => {
        // A bus that fails is as if the machine had not answered.
        this.#options.bus.publish({ type: 'pong', pingId, machineId }).catch(() => {})
      })
  }
}
