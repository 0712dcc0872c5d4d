import { CmdopError, type MethodName } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { Bus } from '../bus/bus.ts'
import type { FleetRunStanding } from '../store/fleet-run-store.ts'
import type { Store } from '../store/store.ts'
import { noSuchFleetRun } from './fleet-run-ledger.ts'

/** Runs that are remembered, and milliseconds for which: should another relay's word be lost, the store is asked again. */
const MAX_KNOWN = 10_000
const KNOWN_MS = 2000

/** What may be called of a run that was cancelled. */
const afterwards: ReadonlySet<string> = new Set<MethodName>([
  'exec.attach',
  'exec.result',
  'effect.get',
  'effect.discard',
  'session.attach',
  'session.observe',
  'session.close',
  'ask.attach',
  'ask.cancel',
])

interface Known {
  readonly fleetId: string
  readonly principalId: string
  isCancelled: boolean
  until: number
}

/** Which calls may name a fleet run: those of whoever has begun it, while nobody has cancelled it. */
export class GoingFleetRuns implements Disposable {
  readonly #store: Pick<Store, 'fleetRuns'>
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #reading = new Map<string, Promise<FleetRunStanding | undefined>>()
  readonly #stop: () => void

  constructor({ store, bus, now = Date.now }: { store: Pick<Store, 'fleetRuns'>; bus: Bus; now?: () => number }) {
    this.#store = store
    this.#now = now
    this.#stop = bus.subscribe((message) => {
      if (message.type === 'fleet-run-changed') this.#changed(message.runId, message.isCancelled)
    })
  }

  /** Throws `not_found`, `permission` for somebody else's run. */
  async assertOwn({ fleetId, principalId }: Pick<Caller, 'fleetId' | 'principalId'>, runId: string): Promise<void> {
    const known = this.#remembered(runId) ?? (await this.#read(runId))
    if (known?.fleetId !== fleetId) throw noSuchFleetRun()
    if (known.principalId !== principalId)
      throw new CmdopError(
        'permission',
        'The fleet run that the call names is of another principal; name one of your own.',
      )
  }

  /**
   * After {@link assertOwn}, and again as the last thing before a call is sent to its machine. Throws `cancelled`; not for a call that
   * looks at what has begun, or ends it.
   */
  assertGoing(runId: string, method: string): void {
    if (this.#known.get(runId)?.isCancelled === true && !afterwards.has(method)) throw over()
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #remembered(runId: string): Known | undefined {
    const known = this.#known.get(runId)
    return known !== undefined && known.until > this.#now() ? known : undefined
  }

  /** What changes while it is read is read again; calls that come meanwhile share one reading. */
  async #read(runId: string): Promise<Known | undefined> {
    for (;;) {
      const reading = this.#reading.get(runId) ?? this.#store.fleetRuns.standing(runId)
      this.#reading.set(runId, reading)
      const row = await reading.catch((error: unknown) => {
        if (this.#reading.get(runId) === reading) this.#reading.delete(runId)
        throw error
      })
      const remembered = this.#remembered(runId)
      if (remembered !== undefined) return remembered
      if (this.#reading.get(runId) !== reading) continue
      this.#reading.delete(runId)
      if (row === undefined) return undefined
      const { fleetId, principalId, state } = row
      const known = { fleetId, principalId, isCancelled: state === 'cancelled', until: this.#now() + KNOWN_MS }
      this.#known.delete(runId)
      this.#known.set(runId, known)
      const [oldest] = this.#known.keys()
      if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest)
      return known
    }
  }

  #changed(runId: string, isCancelled: boolean): void {
    this.#reading.delete(runId)
    const known = this.#known.get(runId)
    if (known === undefined) return
    // What several relays say may come in another order than it was: nothing is let through before it was read.
    if (isCancelled) known.isCancelled = true
    else known.until = 0
  }
}

function over(): CmdopError {
  return new CmdopError('cancelled', 'The fleet run was cancelled; nothing of it begins any more.', {
    details: { fleetRun: 'cancelled' },
  })
}
