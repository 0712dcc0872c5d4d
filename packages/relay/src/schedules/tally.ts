import type { ScheduleResultRow, ScheduleRunEnd } from '../store/schedule-store.ts'

/** Machines that are named in why a run failed. */
const MAX_NAMES = 5

/** Counts how a run ended on its machines. */
export class Tally {
  readonly #counts: Record<string, number> = {}
  readonly #failed: string[] = []
  readonly #codes = new Set<string | null>()
  #total = 0

  add({ status, machineName, errorCode }: Pick<ScheduleResultRow, 'status' | 'machineName' | 'errorCode'>): void {
    this.#total += 1
    this.#counts[status] = (this.#counts[status] ?? 0) + 1
    if (status === 'ok') return
    this.#codes.add(errorCode)
    if (this.#failed.length < MAX_NAMES) this.#failed.push(`${machineName} ${status}`)
  }

  /** How the run ended. Its code is that of its machines where all that failed have the same. */
  end(isCancelled: boolean): Omit<ScheduleRunEnd, 'finishedAt'> {
    const counts = { ...this.#counts }
    const bad = this.#total - (counts['ok'] ?? 0)
    if (bad === 0) return { status: 'success', error: '', errorCode: null, counts }
    const [code = null] = this.#codes.size === 1 ? this.#codes : []
    const more = bad > this.#failed.length ? ` and ${bad - this.#failed.length} more` : ''
    const error = `${bad} of ${this.#total} machines did not succeed: ${this.#failed.toSorted().join(', ')}${more}.`
    if (isCancelled && counts['cancelled'] !== undefined)
      return { status: 'cancelled', error: `The run was cancelled. ${error}`, errorCode: 'cancelled', counts }
    return { status: 'failed', error, errorCode: code, counts }
  }
}
