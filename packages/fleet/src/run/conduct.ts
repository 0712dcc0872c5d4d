import { setTimeout as wait } from 'node:timers/promises'
import {
  CmdopError,
  type FleetRunWait,
  isCmdopError,
  type OutcomeName,
  outcomeOfError,
  toCmdopError,
} from '@cmdop/protocol'
import type { FailureLimit } from '../waves/failure-limit.ts'
import { type FleetMachine, type FleetRow, rowError, skipped } from './fleet-row.ts'
import type { OfflineQueue } from './offline-queue.ts'
import { withRetries } from './retry.ts'
import type { Window } from './window.ts'

/** Why a run stopped before all machines were tried. */
export interface FleetStop {
  readonly reason: 'failures' | 'check' | 'cancelled' | 'denied' | 'budget' | 'expired' | 'ledger'
  /** A sentence for people. */
  readonly message: string
}

/** Somebody has cancelled the run. */
export const CANCELLED: FleetStop = { reason: 'cancelled', message: 'The run was cancelled.' }

/** What a check between waves says: go on, wait until a person lets the run go on, or stop. Either may say why. */
export type WaveVerdict = 'go' | 'pause' | 'stop' | { readonly pause: string } | { readonly stop: string }

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
  | {
      readonly type: 'wave-start'
      readonly wave: number
      /** How many waves there are, and how many machines each has. */
      readonly sizes: readonly number[]
      readonly machines: readonly FleetMachine[]
    }
  | { readonly type: 'machine-start'; readonly wave: number; readonly machine: FleetMachine }
  /** It is offline, and waited for. */
  | { readonly type: 'machine-wait'; readonly machine: FleetMachine }
  | {
      readonly type: 'machine-retry'
      readonly machine: FleetMachine
      readonly attempt: number
      readonly error: CmdopError
    }
  | { readonly type: 'machine-end'; readonly row: FleetRow<Result> }
  | { readonly type: 'wave-end'; readonly wave: number; readonly rows: readonly FleetRow<Result>[] }
  /** It begins no machine before that is there. */
  | { readonly type: 'run-wait'; readonly wait: FleetRunWait }
  /** It goes on. */
  | { readonly type: 'run-go' }
  | { readonly type: 'run-stop'; readonly stop: FleetStop }

/** How the job ended on one machine, where the job says so itself. */
export interface Done<Result> {
  readonly outcome: OutcomeName
  /** Null: it gave nothing. */
  readonly result: Result | null
  /** Why it is not `ok`, where there is more to say than the result does. */
  readonly error?: CmdopError
}

export interface JobContext {
  /** Cancels: what runs on the machine is ended. */
  readonly signal: AbortSignal
  /** It is waited for no longer, and goes on: another script waits for it. */
  readonly leave: AbortSignal
  /** Aborted once no further machine may begin, whatever the reason. What has begun goes on. */
  readonly stopped: AbortSignal
  /** Whether it may begin, once nobody holds the run: asked again by whoever has waited for something. */
  readonly mayBegin: () => Promise<boolean>
  /** From 1. */
  readonly attempt: number
}

/** What is done on one machine. */
export interface Job<Result> {
  /** Throws a `CmdopError` where it gives nothing; one that is `retryable` is tried again. `skipped`: it did not begin. */
  run(machine: FleetMachine, context: JobContext): Promise<Done<Result>>
  /** Why no further machine may begin; undefined: there is no reason of its own. */
  stop?(): FleetStop | undefined
  /** It makes more than one call of a machine: that the relay refuses one as the run was cancelled does not say that nothing ran. */
  readonly hasManyCalls?: boolean
  /** Whether a try that ended so is made again. Default: what is `retryable`. */
  mayRepeat?(error: CmdopError): boolean
}

/** What a wave is about to begin. */
export interface WaveAhead {
  /** From 1. */
  readonly wave: number
  /** Machines of this wave that are not done, and those of all waves that are not yet over. */
  readonly machines: readonly FleetMachine[]
  readonly ahead: readonly FleetMachine[]
}

/** What came of a gate: how it ended on machines that must not begin, by their ids, and why the run stops, if it does. */
export interface GateVerdict<Result> {
  readonly kept: ReadonlyMap<string, Done<Result> | CmdopError>
  readonly stop?: FleetStop
}

/** Lets the machines of a wave begin. */
export interface WaveGate<Result> {
  /** What it throws stops the run. */
  open(ahead: WaveAhead, context: Omit<JobContext, 'attempt'>): Promise<GateVerdict<Result>>
}

/** Where a run waits for people. */
export interface Holds {
  /** Until nobody holds the run any more; undefined: nobody does. Ends with the signal, too. */
  free(signal: AbortSignal): Promise<void> | undefined
  /** Until a person lets it go on after this wave. */
  pause(wave: number, reason: string, signal: AbortSignal): Promise<void>
  /** Whether a person has let it go on after the check of this wave. */
  isContinued(wave: number): boolean
}

export interface Conducted<Result> {
  readonly job: Job<Result>
  /** Machines of each wave, in order. */
  readonly waves: readonly (readonly FleetMachine[])[]
  readonly window: Window
  readonly limit: FailureLimit
  readonly retries: number
  /** From then on no machine begins, milliseconds since 1970. Default: whenever. */
  readonly notAfter?: number
  /** Where machines that are offline are waited for; undefined: they are not. */
  readonly queue?: OfflineQueue | undefined
  /** Milliseconds between the end of a wave and the check after it. */
  readonly bakeMs: number
  readonly check: ((soFar: WaveSoFar<Result>) => WaveVerdict | Promise<WaveVerdict>) | undefined
  readonly gate?: WaveGate<Result> | undefined
  readonly holds?: Holds | undefined
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
  readonly #kept = new Map<string, Done<Result> | CmdopError>()
  /** Ends what waits. */
  readonly #over: AbortSignal
  /** Aborted with the first stop: nobody waits for a machine any more. */
  readonly #stopped = new AbortController()
  #stop: FleetStop | undefined

  constructor(run: Conducted<Result>) {
    this.#run = run
    this.#over = AbortSignal.any([run.signal, run.leave])
    for (const row of run.done.values()) run.limit.count(row.outcome)
  }

  async conduct(): Promise<Conclusion<Result>> {
    const { waves, signal, leave } = this.#run
    const cancelled = () => this.#cancelled()
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
    const { window, emit, done, queue, waves } = this.#run
    await this.#free()
    if (this.#isOpen()) await this.#open(wave)
    const sizes = waves.map(({ length }) => length)
    if (this.#isOpen()) emit({ type: 'wave-start', wave, sizes, machines })
    const counted = (row: FleetRow<Result>) => {
      this.#count(row)
      return row
    }
    const one = async (machine: FleetMachine): Promise<FleetRow<Result>> => {
      const row = done.get(machine.id)
      if (row !== undefined) return { ...row, wave }
      const kept = this.#kept.get(machine.id)
      if (kept !== undefined) return counted({ ...skipped<Result>(machine, wave), ...endOf(kept) })
      for (let tried = 0; ;) {
        // Waits for room, or for the machine, only while there is something to do with it.
        if (!this.#isOpen()) return counted(skipped(machine, wave))
        const absent = queue === undefined ? undefined : await this.#absent(machine, { wave, queue })
        if (absent !== undefined) return counted(absent)
        // Counted before there is room for the next one.
        const ended = await window(machine.labels, async () => {
          await this.#free()
          const row = this.#isOpen() ? await this.#machine(machine, wave, tried) : skipped<Result>(machine, wave)
          return queue?.takes(row) === true ? row.attempts : counted(row)
        })
        if (typeof ended !== 'number') return ended
        tried = ended
      }
    }
    const rows = await Promise.all(machines.map(one))
    this.#rows.push(...rows)
    emit({ type: 'wave-end', wave, rows })
  }

  /** Before a wave: whatever has to be there before its machines begin. */
  async #open(wave: number): Promise<void> {
    const { gate, waves, done } = this.#run
    const notDone = (machines: readonly FleetMachine[]) =>
      machines.filter(({ id }) => !done.has(id) && !this.#kept.has(id))
    const machines = notDone(waves[wave - 1] ?? [])
    if (gate === undefined || machines.length === 0) return
    const ahead = notDone(waves.slice(wave - 1).flat())
    try {
      const { kept, stop } = await gate.open({ wave, machines, ahead }, this.#context)
      if (this.#stop !== undefined) return
      for (const [id, end] of kept) this.#kept.set(id, end)
      if (stop !== undefined) this.#halt(stop)
    } catch (cause) {
      const { message } = toCmdopError(cause, 'server', String(cause))
      this.#halt({ reason: 'denied', message: `Wave ${wave} could not be approved: ${message}` })
    }
  }

  /** Before the next wave: time for what was changed to show its faults, then the check. */
  async #between(wave: number): Promise<void> {
    const { bakeMs, check, waves } = this.#run
    const holds = this.#run.holds
    // What a person has decided after a look at this wave is not asked of the check again.
    if (this.#stop !== undefined || holds?.isContinued(wave) === true) return
    if (bakeMs > 0) await wait(bakeMs, undefined, { signal: this.#over }).catch(() => {})
    // The bake may have been cut short.
    if (this.#stop !== undefined || check === undefined) return
    try {
      const rows = this.#rows.filter((row) => row.wave === wave)
      const verdict = await check({ wave, waves: waves.length, rows, all: this.#rows })
      if (verdict === 'go') return
      if (verdict !== 'pause' && (verdict === 'stop' || 'stop' in verdict))
        return this.#halt({ reason: 'check', message: stopOf(verdict, wave) })
      if (this.#stop !== undefined) return
      await holds?.pause(wave, pauseOf(verdict, wave), this.#over)
    } catch (cause) {
      const { message } = toCmdopError(cause, 'server', String(cause))
      this.#halt({ reason: 'check', message: `The check after wave ${wave} failed: ${message}` })
    }
  }

  /** The row of a machine that was waited for in vain; undefined: it may be asked. */
  async #absent(
    machine: FleetMachine,
    { wave, queue }: { wave: number; queue: OfflineQueue },
  ): Promise<FleetRow<Result> | undefined> {
    const waiting = () => this.#run.emit({ type: 'machine-wait', machine })
    if ((await queue.whenBack(machine, { signal: this.#stopped.signal, waiting })) !== 'too-late') return undefined
    const error = new CmdopError('unavailable', 'The machine is offline, and did not come back in time; nothing ran.')
    return { ...skipped<Result>(machine, wave), outcome: 'unreachable', error: rowError(error) }
  }

  /** `before`: tries that were made of it, of which nothing has run. */
  async #machine(machine: FleetMachine, wave: number, before: number): Promise<FleetRow<Result>> {
    const { job, retries, emit, queue } = this.#run
    emit({ type: 'machine-start', wave, machine })
    const began = performance.now()
    const startedAt = new Date().toISOString()
    const tried = await withRetries((attempt) => job.run(machine, { ...this.#context, attempt: before + attempt }), {
      retries,
      ...this.#context,
      // One that is not there is waited for where nobody else has to wait for it.
      mayRepeat: (error) =>
        (queue === undefined || error.code !== 'unavailable') && (job.mayRepeat?.(error) ?? error.retryable),
      retrying: (error, attempt) => emit({ type: 'machine-retry', machine, attempt: before + attempt, error }),
    })
    const row = {
      machine,
      wave,
      startedAt,
      attempts: before + tried.attempts,
      durationMs: Math.round(performance.now() - began),
    }
    const end = 'result' in tried ? tried.result : tried.error
    if (isCmdopError(end) && end.details['fleetRun'] === 'cancelled') {
      this.#cancelled()
      // Of a job of many calls, those before may have done something.
      if (job.hasManyCalls !== true) return skipped(machine, wave)
    }
    const ended = endOf(end)
    return ended.outcome === 'skipped' && ended.error === null ? skipped(machine, wave) : { ...row, ...ended }
  }

  get #context(): Omit<JobContext, 'attempt'> {
    const { signal, leave } = this.#run
    const mayBegin = async () => {
      await this.#free()
      return this.#isOpen()
    }
    return { signal, leave, stopped: this.#stopped.signal, mayBegin }
  }

  /** Until nobody holds the run, or it has stopped. */
  async #free(): Promise<void> {
    await this.#run.holds?.free(this.#stopped.signal)
  }

  #isOpen(): boolean {
    return this.#stop === undefined && !this.#exceeded() && !this.#isClosed()
  }

  #cancelled(): void {
    this.#halt(CANCELLED)
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

  /** Whether it is too late for a further machine, or the job wants none; then the run stops before its next machine. */
  #isClosed(): boolean {
    const { job, notAfter = Number.POSITIVE_INFINITY } = this.#run
    const late = Date.now() >= notAfter
    const stop = late ? expiredAt(notAfter) : job.stop?.()
    if (stop !== undefined) this.#halt(stop)
    return stop !== undefined
  }

  /** The first reason counts, but that a run was cancelled, which is always said. */
  #halt(stop: FleetStop): void {
    if (this.#stop !== undefined && (this.#stop.reason === 'cancelled' || stop.reason !== 'cancelled')) return
    this.#stop = stop
    this.#stopped.abort()
    this.#run.emit({ type: 'run-stop', stop })
  }
}

/** How it ended on a machine. */
function endOf<Result>(end: Done<Result> | CmdopError): Pick<FleetRow<Result>, 'outcome' | 'result' | 'error'> {
  if (isCmdopError(end)) return { outcome: outcomeOfError(end), result: null, error: rowError(end) }
  const { outcome, result, error } = end
  return { outcome, result, error: error === undefined ? null : rowError(error) }
}

function expiredAt(instant: number): FleetStop {
  return { reason: 'expired', message: `No machine begins from ${new Date(instant).toISOString()} on (notAfter).` }
}

function stopOf(verdict: 'stop' | { readonly stop: string }, wave: number): string {
  return verdict === 'stop' ? `The check after wave ${wave} stopped the run.` : verdict.stop
}

function pauseOf(verdict: 'pause' | { readonly pause: string }, wave: number): string {
  return verdict === 'pause' ? `The check after wave ${wave} wants a person to look.` : verdict.pause.slice(0, 4096)
}
