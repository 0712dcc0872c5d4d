import { randomUUID } from 'node:crypto'
import { type MachineChangeName, type Presence, presenceOf } from '@cmdop/protocol'
import type { Bus, Owner } from '../bus/bus.ts'
import type { ListedMachine, Store } from '../store/store.ts'
import { seenAt } from './summary.ts'

/** How often the presence of every machine is looked at, in milliseconds. */
const LOOK_EVERY_MS = 1000

/** Machines that are read at once at the beginning. */
const READ_AT_ONCE = 500

/** Changes that are kept for those who come back; who comes later begins anew. */
const MAX_CHANGES = 10_000

/** A machine as it was at a moment. */
export interface WatchedMachine {
  readonly row: ListedMachine
  readonly owner: Owner | undefined
  readonly presence: Presence
}

/** What became of a machine, and how it was then. */
export interface WatchedChange extends WatchedMachine {
  readonly position: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly change: MachineChangeName
  /** How it was at the look before; undefined where it was not there. */
  readonly before: WatchedMachine | undefined
}

/** What the bus says of a machine; `claimed`: it has connected. */
export type MachineNews = 'claimed' | 'changed' | 'enrolled' | 'disabled' | 'enabled' | 'moved'

/** What can be told of a machine that was not there before. */
const arrivals: Readonly<Record<MachineNews, MachineChangeName>> = {
  claimed: 'enrolled',
  changed: 'enrolled',
  enrolled: 'enrolled',
  disabled: 'enabled',
  enabled: 'enabled',
  moved: 'attached',
}

/**
 * The machines of one fleet as they are now, and what became of them lately, for everybody who watches it. They are looked at when
 * something is said of them, and once a second: what changed of one between two looks is one change, to how it is then.
 */
export class FleetWatch {
  /** Positions of another one mean something else. */
  readonly id = randomUUID().slice(0, 8)
  readonly #fleetId: string
  readonly #store: Store
  readonly #bus: Bus
  readonly #machines = new Map<string, WatchedMachine>()
  readonly #changes: WatchedChange[] = []
  /** What came for each machine and was not looked at yet. */
  readonly #news = new Map<string, MachineNews>()
  readonly #timer: NodeJS.Timeout
  readonly #failed: (error: unknown) => void
  /** Resolves once all machines were read. */
  readonly ready: Promise<void>
  #position = 0
  #working: Promise<void>
  #isWaiting = false
  readonly #listeners = new Set<() => void>()
  #isOver = false

  constructor(fleetId: string, { store, bus, failed }: { store: Store; bus: Bus; failed: (error: unknown) => void }) {
    this.#fleetId = fleetId
    this.#store = store
    this.#bus = bus
    this.#failed = failed
    this.ready = this.#read()
    this.#working = this.ready.catch(() => {})
    this.#timer = setInterval(() => this.#work(), LOOK_EVERY_MS).unref()
  }

  /** The position of the last change. */
  get position(): number {
    return this.#position
  }

  /** Calls back after each change, and when the watch ends, until what it gives is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** All machines as they are now. */
  machines(): WatchedMachine[] {
    return Array.from(this.#machines.values())
  }

  /** At most so many changes after a position; undefined when some are kept no more, or it is none of this watch. */
  after(position: number, limit: number): readonly WatchedChange[] | undefined {
    const oldest = this.#changes[0]?.position ?? this.#position + 1
    if (position < oldest - 1 || position > this.#position) return undefined
    const from = position - oldest + 1
    return this.#changes.slice(from, from + limit)
  }

  /** Somebody said something of a machine, of whichever fleet. */
  tell(machineId: string, news: MachineNews): void {
    if (news === 'claimed' && !this.#machines.has(machineId)) return
    // What says more stays.
    if (news !== 'claimed' || !this.#news.has(machineId)) this.#news.set(machineId, news)
    this.#work()
  }

  close(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    this.#wake()
  }

  async #read(): Promise<void> {
    for (let after: { name: string; id: string } | undefined; ;) {
      const page = { limit: READ_AT_ONCE, ...(after === undefined ? {} : { after }) }
      const rows = await this.#store.machines.list(this.#fleetId, page)
      const owners = await this.#bus.owners(rows.map(({ id }) => id))
      for (const row of rows) this.#machines.set(row.id, watched(row, owners.get(row.id)))
      const last = rows.at(-1)
      if (rows.length < READ_AT_ONCE || last === undefined) return
      after = { name: last.name, id: last.id }
    }
  }

  /** One after the other, so that what is told is told in order. */
  #work(): void {
    if (this.#isOver || this.#isWaiting) return
    this.#isWaiting = true
    this.#working = this.#working.then(() => this.#look()).catch((error: unknown) => this.#failed(error))
  }

  async #look(): Promise<void> {
    this.#isWaiting = false
    if (this.#isOver) return
    for (const [machineId, what] of Array.from(this.#news)) {
      this.#news.delete(machineId)
      await this.#lookAt(machineId, what).catch((error: unknown) => {
        // With the next look, unless something else came meanwhile.
        if (!this.#news.has(machineId)) this.#news.set(machineId, what)
        throw error
      })
    }
    const owners = await this.#bus.owners(Array.from(this.#machines.keys()))
    for (const before of this.machines()) {
      const now = watched(before.row, owners.get(before.row.id))
      this.#machines.set(before.row.id, now)
      if (now.presence !== before.presence) this.#note(now.presence, now, before)
    }
  }

  async #lookAt(machineId: string, news: MachineNews): Promise<void> {
    const before = this.#machines.get(machineId)
    const row = await this.#find(machineId)
    const owner = await this.#bus.owner(machineId)
    if (row === undefined) {
      if (before === undefined) return
      this.#machines.delete(machineId)
      const last = await this.#store.machines.get(machineId)
      // Of a machine of another fleet nothing is told but that it has gone.
      if (last?.fleetId === this.#fleetId) this.#note('disabled', watched(last, undefined), before)
      else this.#note('detached', { ...before, owner: undefined }, before)
      return
    }
    const now = watched(row, owner)
    // Its presence is told where that of all is.
    this.#machines.set(machineId, before === undefined ? now : { ...now, presence: before.presence })
    const change = before === undefined ? arrivals[news] : difference(before.row, row)
    if (change !== undefined) this.#note(change, now, before)
  }

  /** The machine, if it is in the fleet and not disabled. */
  async #find(machineId: string): Promise<ListedMachine | undefined> {
    const row = await this.#store.machines.get(machineId)
    return row?.fleetId === this.#fleetId && row.disabledAt === null ? row : undefined
  }

  #note(change: MachineChangeName, machine: WatchedMachine, before: WatchedMachine | undefined): void {
    this.#position += 1
    this.#changes.push({ ...machine, position: this.#position, at: Date.now(), change, before })
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
    this.#wake()
  }

  #wake(): void {
    for (const listener of this.#listeners) listener()
  }
}

function watched(row: ListedMachine, owner: Owner | undefined): WatchedMachine {
  const lastSeenAt = seenAt(row, owner)
  const presence = presenceOf({ connected: owner !== undefined, lastSeenAt, now: Date.now() })
  // What the relay that had it knew is newer than its row, and is not forgotten with the connection.
  const seen = lastSeenAt === null ? row : { ...row, lastSeenAt: new Date(lastSeenAt).toISOString() }
  return { row: seen, owner, presence }
}

/** The first in the order of `MachineChangeName`. */
function difference(before: ListedMachine, now: ListedMachine): MachineChangeName | undefined {
  if (before.name !== now.name) return 'renamed'
  if (before.labels !== now.labels || before.reportedLabels !== now.reportedLabels) return 'labels'
  if (before.quarantinedAt === now.quarantinedAt) return undefined
  return now.quarantinedAt === null ? 'released' : 'quarantined'
}
