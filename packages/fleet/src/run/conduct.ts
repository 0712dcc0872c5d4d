import { setTimeout as wait } from 'node:timers/promises'
import { type CmdopError, type OutcomeName, toCmdopError } from '@cmdop/protocol'
import { outcomeOfError } from '../outcomes/classify.ts'
import type { FailureLimit } from '../waves/failure-limit.ts'
import { type FleetMachine, type FleetRow, rowError, skipped } from './fleet-row.ts'
import { withRetries } from './retry.ts'
import type { Window } from './window.ts'

/** Why a run stopped before all machines were tried. */
export interface FleetStop {
  readonly reason: 'failures' | 'check' | 'cancelled' | 'denied' | 'ledger'
  /** A sentence for people. */
  readonly message: string
}

/** What a check between waves says. `stop` may say why. */
export type WaveVerdict = 'go' | 'stop' | { readonly stop: string }

/** What a check between waves sees. */
export interface WaveSoFar<Result> {
  /** The wave that ended, from 1, and how many there are. */
  readonly wave: number
  readonly waves: number
  /** Of this wave, and of all so far. */
  readonly rows: readonly FleetRow<Result>[]
  readonly all: readonly FleetRow<Result>[]
}

export type FleetEvent<Result> =
  | { readonly type: 'wave-start'; readonly wave: number; readonly machines: readonly FleetMachine[] }
  | { readonly type: 'machine-start'; readonly wave: number; readonly machine: FleetMachine }
  | {
      readonly type: 'machine-retry'
      readonly machine: FleetMachine
      readonly attempt: number
      readonly error: CmdopError
    }
  | { readonly type: 'machine-end'; readonly row: FleetRow<Result> }
  | { readonly type: 'wave-end'; readonly wave: number; readonly rows: readonly FleetRow<Result>[] }
  | { readonly type: 'run-stop'; readonly stop: FleetStop }

/** How the job ended on one machine where it gave something. */
export interface Done<Result> {
  readonly outcome: OutcomeName
  readonly result: Result
  /** Why it is not `ok`, where there is more to say than the result does. */
  readonly error?: CmdopError
}

export interface JobContext {
  /** Cancels: what runs on the machine is ended. */
  readonly signal: AbortSignal
  /** It is waited for no longer, and goes on: another script waits for it. */
  readonly leave: AbortSignal
  /** From 1. */
  readonly attempt: number
}

/** What is done on one machine. */
export interface Job<Result> {
  /** Throws a `CmdopError` where it gives nothing; one that is `retryable` is tried again. */
  run(machine: FleetMachine, context: JobContext): Promise<Done<Result>>
}

export interface Conducted<Result> {
  readonly job: Job<Result>
  /** Machines of each wave, in order. */
  readonly waves: readonly (readonly FleetMachine[])[]
  readonly window: Window
  readonly limit: FailureLimit
  readonly retries: number
  /** Milliseconds between the end of a wave and the check after it. */
  readonly bakeMs: number
  readonly check: ((soFar: WaveSoFar<Result>) => WaveVerdict | Promise<WaveVerdict>) | undefined
  readonly signal: AbortSignal
  /** Stops the run, and leaves what runs to whoever goes on with it. Its reason is a sentence. */
  readonly leave: AbortSignal
  /** How it ended on machines that were done before, by their ids: they count, and are not done again. */
  readonly done: ReadonlyMap<string, FleetRow<Result>>
  readonly emit: (event: FleetEvent<Result>) => void
}

/** Every row, and why the run stopped; undefined: it came to its end. */
export interface Conclusion<Result> {
  readonly rows: readonly FleetRow<Result>[]
  readonly stop: FleetStop | undefined
}

/** Does the job on every machine, wave by wave, until it is done or something stops it. Never throws: a fault is a stop. */
export async function conduct<Result>(run: Conducted<Result>): Promise<Conclusion<Result>> {
  return new Conductor(run).conduct()
}

class Conductor<Result> {
  readonly #run: Conducted<Result>
  readonly #rows: FleetRow<Result>[] = []
  #stop: FleetStop | undefined

  constructor(run: Conducted<Result>) {
    this.#run = run
    for (const row of run.done.values()) run.limit.count(row.outcome)
  }

  async conduct(): Promise<Conclusion<Result>> {
    const { waves, signal, leave } = this.#run
    const cancelled = () => this.#halt({ reason: 'cancelled', message: 'The run was cancelled.' })
    const left = () => this.#halt({ reason: 'ledger', message: String(leave.reason) })
    if (signal.aborted) cancelled()
    if (leave.aborted) left()
    signal.addEventListener('abort', cancelled, { once: true })
    leave.addEventListener('abort', left, { once: true })
    try {
      for (const [index, machines] of waves.entries()) {
        await this.#wave(machines, index + 1)
        if (index + 1 < waves.length) await this.#between(index + 1)
      }
    } finally {
      signal.removeEventListener('abort', cancelled)
      leave.removeEventListener('abort', left)
    }
    return { rows: this.#rows, stop: this.#stop }
  }

  async #wave(machines: readonly FleetMachine[], wave: number): Promise<void> {
    const { window, emit, done } = this.#run
    const isOpen = () => this.#stop === undefined && !this.#exceeded()
    if (isOpen()) emit({ type: 'wave-start', wave, machines })
    const counted = (row: FleetRow<Result>) => {
      this.#count(row)
      return row
    }
    const one = async (machine: FleetMachine): Promise<FleetRow<Result>> => {
      const row = done.get(machine.id)
      if (row !== undefined) return { ...row, wave }
      // Waits for room only while there is something to do with it.
      if (!isOpen()) return counted(skipped(machine, wave))
      // Counted before there is room for the next one.
      return window(machine.labels, async () =>
        counted(isOpen() ? await this.#machine(machine, wave) : skipped(machine, wave)),
      )
    }
    const rows = await Promise.all(machines.map(one))
    this.#rows.push(...rows)
    emit({ type: 'wave-end', wave, rows })
  }

  /** Before the next wave: time for what was changed to show its faults, then the check. */
  async #between(wave: number): Promise<void> {
    const { bakeMs, check, waves } = this.#run
    const signal = AbortSignal.any([this.#run.signal, this.#run.leave])
    if (this.#stop !== undefined) return
    if (bakeMs > 0) await wait(bakeMs, undefined, { signal }).catch(() => {})
    // The bake may have been cut short.
    if (this.#stop !== undefined || check === undefined) return
    try {
      const rows = this.#rows.filter((row) => row.wave === wave)
      const verdict = await check({ wave, waves: waves.length, rows, all: this.#rows })
      if (verdict !== 'go') this.#halt({ reason: 'check', message: saidBy(verdict, wave) })
    } catch (cause) {
      const { message } = toCmdopError(cause, 'server', String(cause))
      this.#halt({ reason: 'check', message: `The check after wave ${wave} failed: ${message}` })
    }
  }

  async #machine(machine: FleetMachine, wave: number): Promise<FleetRow<Result>> {
    const { job, retries, signal, leave, emit } = this.#run
    emit({ type: 'machine-start', wave, machine })
    const began = performance.now()
    const startedAt = new Date().toISOString()
    const tried = await withRetries((attempt) => job.run(machine, { signal, leave, attempt }), {
      retries,
      signal,
      retrying: (error, attempt) => emit({ type: 'machine-retry', machine, attempt, error }),
    })
    const row = {
      machine,
      wave,
      startedAt,
      attempts: tried.attempts,
      durationMs: Math.round(performance.now() - began),
    }
    if ('result' in tried) {
      const { outcome, result, error } = tried.result
      return { ...row, outcome, result, error: error === undefined ? null : rowError(error) }
    }
    return { ...row, outcome: outcomeOfError(tried.error), result: null, error: rowError(tried.error) }
  }

  #count(row: FleetRow<Result>): void {
    const { limit, emit } = this.#run
    limit.count(row.outcome)
    emit({ type: 'machine-end', row })
    this.#exceeded()
  }

  /** Whether there are too many failures; then the run stops before its next machine. */
  #exceeded(): boolean {
    const { limit } = this.#run
    if (limit.exceeded) {
      const message = `${limit.failures} machines failed, more than maxFailures allows (${limit.max}).`
      this.#halt({ reason: 'failures', message })
    }
    return limit.exceeded
  }

  /** The first reason counts, but that a run was cancelled, which is always said. */
  #halt(stop: FleetStop): void {
    if (this.#stop !== undefined && (this.#stop.reason === 'cancelled' || stop.reason !== 'cancelled')) return
    this.#stop = stop
    this.#run.emit({ type: 'run-stop', stop })
  }
}

function saidBy(verdict: Exclude<WaveVerdict, 'go'>, wave: number): string {
  return typeof verdict === 'string' ? `The check after wave ${wave} stopped the run.` : verdict.stop
}
