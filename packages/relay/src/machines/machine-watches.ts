import { CmdopError, type MachineChangeName, type MachineEvent } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { Bus } from '../bus/bus.ts'
import type { Store } from '../store/store.ts'
import { FleetWatch, type MachineNews, type WatchedChange, type WatchedMachine } from './fleet-watch.ts'
import { fleetOf, isListed } from './list.ts'
import { summaryOf } from './summary.ts'

/** Machines in one event of a snapshot, and changes that are told at once. */
const AT_ONCE = 100

/** Milliseconds for which changes are kept when nobody watches a fleet, for who comes back. */
const LINGER_MS = 60_000

export interface MachineWatchesOptions {
  readonly store: Store
  readonly bus: Bus
  /** The machines of a fleet could not be looked at; it is tried again. */
  readonly failed: (error: unknown) => void
}

export interface FollowMachinesOptions {
  readonly caller: Caller
  /** Id of the last event that was seen; undefined: begin with all machines. */
  readonly after: string | undefined
  readonly signal: AbortSignal
}

/** Who watches which fleet. Fleets that nobody watches cost nothing. */
export class MachineWatches implements Disposable {
  readonly #options: MachineWatchesOptions
  readonly #watches = new Map<string, { watch: FleetWatch; followers: number; timer?: NodeJS.Timeout | undefined }>()
  readonly #stop: () => void

  constructor(options: MachineWatchesOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'machine-changed') this.#tell(message.machineId, message.change)
      else if (message.type === 'machine-claimed') this.#tell(message.machineId, 'claimed')
      else if (message.type === 'machine-quarantined') this.#tell(message.machineId, 'changed')
    })
  }

  /** What becomes of the machines of the caller's fleet that its key is for. Ends with the signal. */
  async *follow({ caller, after, signal }: FollowMachinesOptions): AsyncGenerator<{ id: string; data: MachineEvent }> {
    const { store } = this.#options
    const { fleetId } = caller
    const watch = this.#enter(fleetId)
    const state = { woken: Promise.withResolvers<void>() }
    const wake = () => state.woken.resolve()
    const stop = watch.listen(wake)
    signal.addEventListener('abort', wake, { once: true })
    try {
      await watch.ready
      let position = positionIn(watch, after)
      while (!signal.aborted && !watch.isOver) {
        state.woken = Promise.withResolvers()
        const changes = position === undefined ? undefined : watch.after(position, AT_ONCE)
        if (changes === undefined) {
          position = watch.position
          yield* this.#snapshot(watch, caller, signal)
          continue
        }
        const fleets = changes.length === 0 ? [] : await fleetOf(store, caller)
        for (const each of changes) {
          const seen = seenBy(caller, each)
          if (seen === undefined) continue
          const { at: now, position: at } = each
          const machine = summaryOf(seen.row, { owner: seen.owner, now, fleets })
          const data = { type: 'change', at: new Date(now).toISOString(), change: seen.change, machine } as const
          yield { id: idOf(watch, at), data }
        }
        position = changes.at(-1)?.position ?? position
        if (changes.length === 0 && !signal.aborted) await state.woken.promise
      }
    } finally {
      signal.removeEventListener('abort', wake)
      stop()
      this.#leave(fleetId)
    }
  }

  [Symbol.dispose](): void {
    this.#stop()
    for (const { watch, timer } of this.#watches.values()) {
      clearTimeout(timer)
      watch.close()
    }
    this.#watches.clear()
  }

  /** All machines. Until the last part has come, who comes back begins anew. */
  async *#snapshot(
    watch: FleetWatch,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<{ id: string; data: MachineEvent }> {
    const { position } = watch
    const now = Date.now()
    const all = watch.machines().filter(({ row }) => isListed(caller, row))
    for (let start = 0; start === 0 || start < all.length; start += AT_ONCE) {
      if (signal.aborted) return
      const part = all.slice(start, start + AT_ONCE)
      const isLast = start + AT_ONCE >= all.length
      yield {
        id: isLast ? idOf(watch, position) : `${watch.id}.`,
        data: {
          type: 'snapshot',
          at: new Date(now).toISOString(),
          first: start === 0,
          last: isLast,
          machines: await this.#shown(part, caller, now),
        },
      }
    }
  }

  async #shown(machines: readonly WatchedMachine[], caller: Caller, now: number) {
    const fleets = await fleetOf(this.#options.store, caller)
    return machines.map(({ row, owner }) => summaryOf(row, { owner, now, fleets }))
  }

  #tell(machineId: string, news: MachineNews): void {
    for (const { watch } of this.#watches.values()) watch.tell(machineId, news)
  }

  #enter(fleetId: string): FleetWatch {
    const known = this.#watches.get(fleetId)
    if (known !== undefined) {
      clearTimeout(known.timer)
      known.followers += 1
      return known.watch
    }
    const watch = new FleetWatch(fleetId, this.#options)
    // Who waits for it is told; nobody keeps one that could not be read.
    watch.ready.catch(() => this.#end(fleetId, watch))
    this.#watches.set(fleetId, { watch, followers: 1 })
    return watch
  }

  #leave(fleetId: string): void {
    const known = this.#watches.get(fleetId)
    if (known === undefined) return
    known.followers -= 1
    if (known.followers > 0) return
    known.timer = setTimeout(() => this.#end(fleetId, known.watch), LINGER_MS).unref()
  }

  #end(fleetId: string, watch: FleetWatch): void {
    watch.close()
    if (this.#watches.get(fleetId)?.watch === watch) this.#watches.delete(fleetId)
  }
}

/** A change as who has this key sees it: a machine that comes to be one that the key is for, or is it no more, comes or goes. */
function seenBy(
  caller: Caller,
  { row, owner, change, before }: WatchedChange,
): (Pick<WatchedMachine, 'row' | 'owner'> & { change: MachineChangeName }) | undefined {
  const wasSeen = before !== undefined && isListed(caller, before.row)
  if (isListed(caller, row)) return { row, owner, change: before === undefined || wasSeen ? change : 'attached' }
  return wasSeen ? { row: before.row, owner: undefined, change: 'detached' } : undefined
}

function idOf(watch: FleetWatch, position: number): string {
  return `${watch.id}.${position}`
}

/** Undefined for what begins anew: nothing was seen, by another relay or too long ago, or not all machines yet. */
function positionIn(watch: FleetWatch, after: string | undefined): number | undefined {
  const [, id, position = ''] = POSITION.exec(after ?? '') ?? []
  return id === watch.id && position !== '' ? Number(position) : undefined
}

const POSITION = /^([0-9a-f]{8})\.(\d{0,15})$/

/** Throws `validation` for what is no id of an event. */
export function assertPosition(after: string | undefined): void {
  if (after === undefined || POSITION.test(after)) return
  throw new CmdopError('validation', 'Expected Last-Event-ID to be the id of an event of machines.')
}
