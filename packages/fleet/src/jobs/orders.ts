import { type CmdopError, type ErrorCode, outcomeOfError, outcomes, toCmdopError } from '@cmdop/protocol'
import type { Done, Job, JobContext } from '../run/conduct.ts'
import type { FleetOptions } from '../run/fleet-options.ts'
import type { FleetMachine } from '../run/fleet-row.ts'

/** Codes that say for good that nobody will know whether, or how, it ran. */
const doubts: ReadonlySet<ErrorCode> = new Set(['lost', 'unknown'])

/** Gives an order to a machine: the first one is number 0, and each has a call of its own. */
export type GiveOrder<Result> = (order: number) => Promise<Done<Result>>

export interface OrdersOptions {
  readonly delivery: FleetOptions<never>['delivery']
  /** Tries after the first one. */
  readonly retries: number
}

/**
 * Orders to machines. `at-most-once`: each has one, whoever asks for it and however often. `at-least-once`: one of which nobody knows
 * whether it ran is followed by another.
 */
export class Orders {
  readonly #repeats: boolean
  readonly #retries: number
  readonly #inDoubt = new Map<string, { readonly count: number; readonly error: CmdopError }>()

  constructor({ delivery, retries }: OrdersOptions) {
    this.#repeats = delivery === 'at-least-once'
    this.#retries = retries
  }

  /** What a job tries again. */
  readonly mayRepeat: NonNullable<Job<never>['mayRepeat']> = (error) =>
    error.retryable || (this.#repeats && doubts.has(error.code))

  /** How the order ended that the machine has now. Throws what it throws, and what may be tried again. */
  async give<Result>(
    { id }: FleetMachine,
    { attempt }: Pick<JobContext, 'attempt'>,
    order: GiveOrder<Result>,
  ): Promise<Done<Result>> {
    if (!this.#repeats) return order(0)
    const before = this.#inDoubt.get(id)
    const count = before?.count ?? 0
    try {
      const done = await order(count)
      if (done.error === undefined || !doubts.has(done.error.code)) return done
      this.#inDoubt.set(id, { count: count + 1, error: done.error })
      if (attempt > this.#retries) return done
      throw done.error
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The script met a fault of its own.')
      if (doubts.has(error.code)) this.#inDoubt.set(id, { count: count + 1, error })
      // That nothing ran is true of this order, and not of the one before.
      const isRefused = error.details['fleetRun'] === 'cancelled' || !outcomes[outcomeOfError(error)].mayHaveRun
      if (before !== undefined && isRefused) throw before.error
      throw error
    }
  }
}
