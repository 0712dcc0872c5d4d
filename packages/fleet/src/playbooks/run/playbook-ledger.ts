import { setTimeout as wait } from 'node:timers/promises'
import { CmdopError, type FleetRunStop, MAX_FLEET_APPEND_ROWS } from '@cmdop/protocol'
import { persevere } from '../../persevere.ts'
import type { FleetRow } from '../../run/fleet-row.ts'
import type { PlaybookClient } from '../playbook-client.ts'

/** Milliseconds between two looks whether somebody wants the playbook to end, or to go on. */
const LOOK_MS = 1000

/** What is written down of a playbook itself; its steps are runs of their own. */
export class PlaybookLedger implements AsyncDisposable {
  readonly #client: PlaybookClient
  readonly #runId: string
  readonly #epoch: number
  readonly #cancelled = new AbortController()
  readonly #closed = new AbortController()
  readonly #looking: Promise<void>

  constructor(client: PlaybookClient, { runId, epoch }: { readonly runId: string; readonly epoch: number }) {
    this.#client = client
    this.#runId = runId
    this.#epoch = epoch
    this.#looking = this.#look()
  }

  /** Aborts once somebody wants the playbook to end. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal
  }

  /**
   * Whether a step may begin: nobody wants the playbook to end. Waits while somebody has paused it. Throws `conflict` where another
   * script goes on with it.
   */
  async mayBegin(signal: AbortSignal): Promise<boolean> {
    for (;;) {
      if ((await this.#record({}))?.for !== 'person' || signal.aborted) return !signal.aborted
      await wait(LOOK_MS, undefined, { signal }).catch(() => {})
    }
  }

  /** Writes how it ended on each machine, and as a whole. */
  async end(rows: readonly FleetRow<unknown>[], state: 'ended' | 'stopped' | 'cancelled', stop?: FleetRunStop) {
    const written = rows.map(({ machine, outcome, result, error, attempts, startedAt, durationMs }) => ({
      machineId: machine.id,
      outcome,
      row: { result, error, attempts, startedAt, durationMs },
    }))
    for (let next = 0; next < written.length; next += MAX_FLEET_APPEND_ROWS)
      await this.#record({ rows: written.slice(next, next + MAX_FLEET_APPEND_ROWS) })
    await this.#record({ state, ...(stop === undefined ? {} : { stop }) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      await wait(LOOK_MS, undefined, { signal, ref: false }).catch(() => {})
      // Whoever has taken it over, and a relay that is gone, are met by the next step.
      if (!signal.aborted) await this.#record({}).catch(() => {})
    }
  }

  async #record(progress: Omit<Partial<Parameters<PlaybookClient['fleetRuns']['record']>[1]>, 'epoch'>) {
    const body = { epoch: this.#epoch, rows: [], ...progress }
    const answer = await persevere(() => this.#client.fleetRuns.record(this.#runId, body))
    if (answer.cancelRequested) this.#cancelled.abort(new CmdopError('cancelled', 'Somebody has cancelled it.'))
    return answer.wait
  }
}
