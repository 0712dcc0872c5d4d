import { CmdopError } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { RunRow, Store } from '../store/store.ts'

/** Milliseconds without a call after which a count may make room for another, and for which a call without a run counts. */
const IDLE_MS = 3_600_000

/** Counts that are kept at once. */
const MAX_COUNTS = 10_000

/** Runs whose owner is remembered. */
const MAX_KNOWN = 10_000

/** Milliseconds for which a run that is not registered is not looked up again. */
const UNKNOWN_MS = 1000

export interface RunReachOptions {
  readonly runs: Pick<Store['runs'], 'get'>
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly maxCounts?: number
}

/** What is asked of a caller. */
export type Counted = Pick<Caller, 'fleetId' | 'principalId' | 'reach'>

/** Whose run it is; null: nobody's until `until`. */
type Known = Pick<RunRow, 'fleetId' | 'principalId'> | { readonly principalId: null; readonly until: number }

/** Machines that were reached, and when last. The one that was reached last is the last one. */
type Machines = Map<string, number>

/** Whose run a call belongs to, and how many machines the calls of a run reach: as many as the key allows, see {@link Caller.reach}. */
export class RunReach {
  readonly #runs: Pick<Store['runs'], 'get'>
  readonly #now: () => number
  readonly #maxCounts: number
  readonly #known = new Map<string, Known>()
  /** By principal and run; the one that was used last is the last one. */
  readonly #counts = new Map<string, Machines>()

  constructor({ runs, now = Date.now, maxCounts = MAX_COUNTS }: RunReachOptions) {
    this.#runs = runs
    this.#now = now
    this.#maxCounts = maxCounts
  }

  /** The run by which a call counts: one that the caller has registered, or null. Throws `permission` for somebody else's. */
  async runOf({ fleetId, principalId }: Counted, runId: string | undefined): Promise<string | null> {
    if (runId === undefined) return null
    const known = this.#remembered(runId) ?? (await this.#read(runId))
    if (known.principalId === null) return null
    if (known.principalId === principalId && known.fleetId === fleetId) return runId
    throw new CmdopError('permission', 'The run that the call names is of another principal; name one of your own.')
  }

  /** Throws `permission` where the call would reach one machine too many, `rate_limit` where it cannot be counted. */
  assertRoom({ reach }: Counted, run: string | null, machineId: string): void {
    for (const { principalId, max } of reach) {
      const machines = this.#counts.get(keyOf(principalId, run))
      if (machines === undefined) this.#assertFree()
      if (run === null && machines !== undefined) this.#forgetOld(machines)
      if (machines?.has(machineId) === true || (machines?.size ?? 0) < max) continue
      const what = run === null ? 'without a run within an hour' : 'in one run'
      const todo = run === null ? 'Start a run for more, or wait an hour' : 'Start another run for more'
      throw new CmdopError(
        'permission',
        `Your key may reach at most ${max} machines ${what}. ${todo}, or ask for a key with a higher --max-targets.`,
      )
    }
  }

  /** Counts a call that is let through. Throws as {@link assertRoom}. */
  count(caller: Counted, run: string | null, machineId: string): void {
    this.assertRoom(caller, run, machineId)
    for (const { principalId } of caller.reach) {
      const key = keyOf(principalId, run)
      const machines = this.#counts.get(key) ?? new Map<string, number>()
      machines.delete(machineId)
      machines.set(machineId, this.#now())
      this.#counts.delete(key)
      this.#counts.set(key, machines)
    }
  }

  /** A full table loses its oldest count once nobody has used that for an hour. */
  #assertFree(): void {
    if (this.#counts.size < this.#maxCounts) return
    const [oldest] = this.#counts
    if (oldest === undefined) return
    const [key, machines] = oldest
    if (this.#now() - lastUse(machines) < IDLE_MS)
      throw new CmdopError('rate_limit', 'Too many runs of keys with --max-targets at once; try again in an hour.')
    this.#counts.delete(key)
  }

  #forgetOld(machines: Machines): void {
    for (const [id, at] of machines) if (this.#now() - at >= IDLE_MS) machines.delete(id)
  }

  #remembered(runId: string): Known | undefined {
    const known = this.#known.get(runId)
    return known?.principalId === null && known.until <= this.#now() ? undefined : known
  }

  async #read(runId: string): Promise<Known> {
    const run = await this.#runs.get(runId)
    const known = run ?? { principalId: null, until: this.#now() + UNKNOWN_MS }
    this.#known.delete(runId)
    this.#known.set(
      runId,
      known.principalId === null ? known : { fleetId: known.fleetId, principalId: known.principalId },
    )
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest)
    return known
  }
}

function keyOf(principalId: string, run: string | null): string {
  return `${principalId} ${run ?? ''}`
}

function lastUse(machines: Machines): number {
  return Array.from(machines.values()).at(-1) ?? 0
}
