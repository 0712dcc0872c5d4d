import type { Logger } from 'pino'
import type { Bus } from '../bus/bus.ts'
import type { ScheduleClaim, ScheduleLease, ScheduleRunRow, ScheduleStore } from '../store/schedule-store.ts'
import type { Conductor, ConductOptions } from './conductor.ts'
import type { Notices } from './notices.ts'
import { type DueSchedule, planOf } from './plan.ts'
import { Timetables } from './timetable.ts'

/** Milliseconds after which it is looked again at the latest: for what other relays have left, and what they have added. */
const LOOK_EVERY_MS = 1000

/** Milliseconds at least between two looks that nobody has asked for. */
const LOOK_AFTER_MS = 5

/** Milliseconds for which a relay has a run without a sign of life, and how often it gives one. */
export const LEASE_MS = 15_000
const RENEW_EVERY_MS = 5000

/** Schedules whose instants are claimed in one commit. */
const CLAIMED_AT_ONCE = 500

/** Runs that are begun, or taken over, in one look. */
const STARTED_AT_ONCE = 100

/** Milliseconds between two times that deleted schedules are cleared away. */
const PURGE_EVERY_MS = 60_000

/** Milliseconds between two times that old runs of a schedule are forgotten. */
const PRUNE_EVERY_MS = 10_000

export interface SchedulerOptions {
  readonly store: ScheduleStore
  readonly bus: Bus
  readonly log: Logger
  /** This process: `<name of the relay>/<its own id>`. */
  readonly relayInstance: string
  readonly conductor: Conductor
  readonly notices: Notices
  /** The relay takes nothing new any more. */
  readonly isDraining: () => boolean
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Fires schedules: claims each instant in the store, of all relays one, and does what it has claimed. What a relay that is gone was doing
 * is taken over once its lease has ended, and never sent to a machine again.
 */
export class Scheduler implements AsyncDisposable {
  readonly #options: Required<SchedulerOptions>
  readonly #leaving = new AbortController()
  readonly #runs = new Map<string, AbortController>()
  readonly #going = new Set<Promise<void>>()
  readonly #timetables = new Timetables()
  /** When old runs of a schedule were forgotten last. */
  readonly #pruned = new Map<string, number>()
  readonly #stops: (() => void)[] = []
  #looping: Promise<void> = Promise.resolve()
  #wake = Promise.withResolvers<void>()
  #purgedAt = 0

  constructor(options: SchedulerOptions) {
    this.#options = { now: Date.now, ...options }
  }

  /** Fires from now on. */
  start(): void {
    const timer = setInterval(() => this.#guard(() => this.#renew()), RENEW_EVERY_MS)
    const stop = this.#options.bus.subscribe((message) => {
      if (message.type === 'schedule-run-cancelled') this.#runs.get(message.runId)?.abort()
    })
    this.#stops.push(() => clearInterval(timer), stop)
    this.#looping = this.#loop()
  }

  /** Something has changed: it is looked at once. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Fires nothing any more, and lets go of what runs for another relay, or this one's next start, to go on with. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving.abort()
    this.wake()
    for (const stop of this.#stops) stop()
    await this.#looping
    await Promise.all(this.#going)
    const { store, relayInstance, now } = this.#options
    await store.release(relayInstance, isoOf(now())).catch((err: unknown) => this.#failed(err))
  }

  async #loop(): Promise<void> {
    const { store, relayInstance, now } = this.#options
    // An earlier process of this relay is gone: nobody waits for its leases.
    await store.releaseFormer(relayInstance, isoOf(now())).catch((err: unknown) => this.#failed(err))
    while (!this.#leaving.signal.aborted) {
      this.#wake = Promise.withResolvers()
      let waitMs = LOOK_EVERY_MS
      try {
        if (!this.#options.isDraining()) waitMs = await this.#look()
      } catch (err) {
        this.#failed(err)
      }
      await this.#sleep(waitMs)
    }
  }

  /** Does what is due. Gives the milliseconds until the next look. */
  async #look(): Promise<number> {
    const { store, notices, now } = this.#options
    await this.#claim()
    await this.#startWaiting()
    await this.#takeOver()
    await notices.tell()
    if (now() - this.#purgedAt >= PURGE_EVERY_MS) {
      this.#purgedAt = now()
      for (const [id, at] of this.#pruned) if (now() - at >= PRUNE_EVERY_MS) this.#pruned.delete(id)
      await store.purge()
    }
    const next = await store.nextDue()
    const leftMs = next === undefined ? LOOK_EVERY_MS : Date.parse(next) - now()
    return Math.min(LOOK_EVERY_MS, Math.max(LOOK_AFTER_MS, leftMs))
  }

  async #claim(): Promise<void> {
    const { store, bus, now } = this.#options
    while (!this.#leaving.signal.aborted) {
      const at = now()
      const due = await store.due(isoOf(at), CLAIMED_AT_ONCE)
      const claims = due.flatMap((schedule) => this.#plan(schedule as DueSchedule, at))
      if (claims.length === 0) return
      const { runs, cancelled } = await store.claim(claims, this.#lease(), isoOf(now()))
      for (const runId of cancelled) await bus.publish({ type: 'schedule-run-cancelled', runId })
      const schedules = new Map(due.map((schedule) => [schedule.id, schedule]))
      for (const run of runs)
        if (run.status === 'running') this.#conduct(run, { resumed: false, schedule: schedules.get(run.scheduleId) })
      if (due.length < CLAIMED_AT_ONCE) return
    }
  }

  /** A schedule that cannot be read any more is passed over; the others are not held up by it. */
  #plan(schedule: DueSchedule, at: number): ScheduleClaim[] {
    try {
      return [planOf(schedule, at, this.#timetables)]
    } catch (err) {
      this.#options.log.error({ err, scheduleId: schedule.id }, 'a schedule cannot be read; it fires no more')
      const { id, revision, nextRunAt, work } = schedule
      return [{ schedule: { id, revision, nextRunAt, overlap: work.overlap }, runs: [], nextRunAt: null }]
    }
  }

  async #startWaiting(): Promise<void> {
    const { store, now } = this.#options
    for (const { id } of await store.startable(STARTED_AT_ONCE)) {
      if (this.#leaving.signal.aborted) return
      const run = await store.start(id, this.#lease(), isoOf(now()))
      if (run !== undefined) this.#conduct(run, { resumed: false })
    }
  }

  async #takeOver(): Promise<void> {
    const { store, now } = this.#options
    for (const run of await store.abandoned(isoOf(now()), STARTED_AT_ONCE)) {
      // Its lease ended while it goes on here: it is prolonged with the others.
      if (this.#runs.has(run.id) || this.#leaving.signal.aborted) continue
      const taken = await store.takeOver(run, this.#lease())
      if (taken !== undefined) this.#conduct(taken, { resumed: true })
    }
  }

  #conduct(run: ScheduleRunRow, how: Pick<ConductOptions, 'resumed' | 'schedule'>): void {
    const { conductor, store } = this.#options
    const cancel = new AbortController()
    if (run.cancelRequestedAt !== null) cancel.abort()
    this.#runs.set(run.id, cancel)
    const conducting = async () => {
      try {
        const options = { ...how, cancelled: cancel.signal, leaving: this.#leaving.signal }
        const end = await conductor.conduct(run, options)
        if (end !== undefined && (await store.finish(run, end))) await this.#prune(run)
      } catch (err) {
        this.#failed(err)
      }
    }
    const going: Promise<void> = conducting().finally(() => {
      this.#runs.delete(run.id)
      this.#going.delete(going)
      // Another run may wait for its end, or webhooks be told.
      if (run.work?.overlap !== 'skip' || run.work.notify !== null) this.wake()
    })
    this.#going.add(going)
  }

  async #prune({ scheduleId, work }: ScheduleRunRow): Promise<void> {
    const { store, now } = this.#options
    if (work === null || now() - (this.#pruned.get(scheduleId) ?? 0) < PRUNE_EVERY_MS) return
    this.#pruned.set(scheduleId, now())
    await store.prune(scheduleId, work.keep_runs)
  }

  async #renew(): Promise<void> {
    const { store, relayInstance } = this.#options
    if (this.#runs.size === 0) return
    await store.renew([...this.#runs.keys()], this.#lease())
    for (const runId of await store.cancelled(relayInstance)) this.#runs.get(runId)?.abort()
  }

  #lease(): ScheduleLease {
    const { relayInstance, now } = this.#options
    return { relayInstance, leaseUntil: isoOf(now() + LEASE_MS) }
  }

  #guard(work: () => Promise<void>): void {
    work().catch((err: unknown) => this.#failed(err))
  }

  #failed(err: unknown): void {
    this.#options.log.error({ err }, 'schedules could not be looked through')
  }

  async #sleep(ms: number): Promise<void> {
    const over = this.#wake
    const timer = setTimeout(over.resolve, ms)
    await over.promise
    clearTimeout(timer)
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
