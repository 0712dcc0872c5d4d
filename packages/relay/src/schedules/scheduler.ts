import type { Logger } from 'pino'
import type { Bus } from '../bus/bus.ts'
import type {
  ScheduleClaim,
  ScheduleLease,
  ScheduleRunRow,
  ScheduleStore,
  ScheduleWork,
} from '../store/schedule-store.ts'
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

/** Milliseconds after the last sign of life of a process after which another one of the same name takes it for gone. */
const SILENT_AFTER_MS = 8000

/** Milliseconds without a relay after which a run begins on no further machine: as long as an orphan is let run. */
const BEGIN_WITHIN_MS = 120_000

/** Schedules that are looked at together. */
const DUE_AT_ONCE = 1000

/** Milliseconds before an instant at which schedules are read that are due then, so that at the instant they only have to be claimed. */
const AHEAD_MS = 500

/** Milliseconds after an instant until which what was read ahead still counts: by no shorter time may a run be late. */
const AHEAD_COUNTS_MS = 100

/** Schedules whose instants are claimed in one commit: while they are begun, the next ones are claimed. */
const CLAIMED_AT_ONCE = 100

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

/** Schedules that are due at an instant, and their claims, made before it. Of what has changed since nothing is claimed. */
interface Ahead {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly due: readonly DueSchedule[]
  readonly claims: readonly ScheduleClaim[]
}

/** A run that goes on here. */
interface GoingRun {
  readonly cancel: AbortController
  /** This relay ends, or the run is another's by now, or may be. */
  readonly leave: AbortController
  /** Milliseconds since 1970. */
  leaseUntil: number
}

/**
 * Fires schedules: claims each instant in the store, of all relays one, and does what it has claimed. What a relay that is gone was doing
 * is taken over once its lease has ended, and never sent to a machine again.
 */
export class Scheduler implements AsyncDisposable {
  readonly #options: Required<SchedulerOptions>
  readonly #leaving = new AbortController()
  readonly #runs = new Map<string, GoingRun>()
  readonly #going = new Set<Promise<void>>()
  readonly #timetables = new Timetables()
  /** When old runs of a schedule were forgotten last. */
  readonly #pruned = new Map<string, number>()
  /** Schedules whose old runs are to be forgotten, and how many are kept. */
  readonly #toPrune = new Map<string, number>()
  #pruning: Promise<void> = Promise.resolve()
  readonly #stops: (() => void)[] = []
  #looping: Promise<void> = Promise.resolve()
  #wake = Promise.withResolvers<void>()
  #ahead: Ahead | undefined
  #purgedAt = 0
  #releasedAt = 0

  constructor(options: SchedulerOptions) {
    this.#options = { now: Date.now, ...options }
  }

  /** Fires from now on. */
  start(): void {
    const timer = setInterval(() => this.#guard(() => this.#renew()), RENEW_EVERY_MS)
    const stop = this.#options.bus.subscribe((message) => {
      if (message.type === 'schedule-run-cancelled') this.#runs.get(message.runId)?.cancel.abort()
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
    for (const { leave } of this.#runs.values()) leave.abort()
    this.wake()
    for (const stop of this.#stops) stop()
    await this.#looping
    await Promise.all(this.#going)
    await this.#pruning
    const { store, relayInstance, now } = this.#options
    await store.release(relayInstance, isoOf(now())).catch((err: unknown) => this.#failed(err))
  }

  async #loop(): Promise<void> {
    const { now } = this.#options
    const startedAt = now()
    while (!this.#leaving.signal.aborted) {
      this.#wake = Promise.withResolvers()
      let waitMs = LOOK_EVERY_MS
      try {
        if (now() - startedAt <= LEASE_MS + LOOK_EVERY_MS) await this.#releaseFormer()
        if (!this.#options.isDraining()) waitMs = await this.#look()
      } catch (err) {
        this.#failed(err)
      }
      await this.#sleep(waitMs)
    }
  }

  /** An earlier process of this relay is gone, as it gives no sign of life: the rest of its lease is not waited for. */
  async #releaseFormer(): Promise<void> {
    const { store, relayInstance, now } = this.#options
    const at = now()
    if (at - this.#releasedAt < LOOK_EVERY_MS / 2) return
    this.#releasedAt = at
    await store.releaseFormer(relayInstance, isoOf(at), isoOf(at + LEASE_MS - SILENT_AFTER_MS))
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
    if (next === undefined) return LOOK_EVERY_MS
    const leftMs = Date.parse(next) - now()
    if (leftMs > AHEAD_MS) return Math.min(LOOK_EVERY_MS, leftMs - AHEAD_MS)
    if (leftMs > 0) await this.#readAhead(Date.parse(next))
    return Math.max(LOOK_AFTER_MS, Date.parse(next) - now())
  }

  async #readAhead(at: number): Promise<void> {
    if (this.#ahead?.at !== at) this.#ahead = await this.#read(at)
  }

  /** What is due at an instant; by that it is judged who is late. */
  async #read(at: number): Promise<Ahead> {
    const due = (await this.#options.store.due(isoOf(at), DUE_AT_ONCE)) as DueSchedule[]
    return { at, due, claims: due.map((schedule) => this.#plan(schedule, at)) }
  }

  async #claim(): Promise<void> {
    const { now } = this.#options
    const ahead = this.#ahead
    if (ahead !== undefined && now() >= ahead.at) {
      this.#ahead = undefined
      if (now() - ahead.at <= AHEAD_COUNTS_MS) await this.#claimAll(ahead)
    }
    while (!this.#leaving.signal.aborted) {
      const read = await this.#read(now())
      await this.#claimAll(read)
      if (read.due.length < DUE_AT_ONCE) return
    }
  }

  async #claimAll({ due, claims }: Ahead): Promise<void> {
    const schedules = new Map(due.map((schedule) => [schedule.id, schedule]))
    for (let next = 0; next < claims.length && !this.#leaving.signal.aborted; next += CLAIMED_AT_ONCE)
      await this.#claimSome(claims.slice(next, next + CLAIMED_AT_ONCE), schedules)
  }

  async #claimSome(claims: readonly ScheduleClaim[], schedules: ReadonlyMap<string, DueSchedule>): Promise<void> {
    const { store, bus, now } = this.#options
    const { runs, cancelled } = await store.claim(claims, this.#lease(), isoOf(now()))
    for (const runId of cancelled) await bus.publish({ type: 'schedule-run-cancelled', runId })
    for (const run of runs)
      if (run.status === 'running') this.#conduct(run, { ...BEGUN, schedule: schedules.get(run.scheduleId) })
    // While one runs for long, those that are skipped become many.
    const noted = runs.filter(({ status }) => status === 'skipped' || status === 'missed')
    for (const { scheduleId } of noted) this.#prune(scheduleId, schedules.get(scheduleId)?.work)
  }

  /** A schedule that cannot be read any more is passed over; the others are not held up by it. */
  #plan(schedule: DueSchedule, at: number): ScheduleClaim {
    try {
      return planOf(schedule, at, this.#timetables)
    } catch (err) {
      this.#options.log.error({ err, scheduleId: schedule.id }, 'a schedule cannot be read; it fires no more')
      const { id, revision, nextRunAt, work } = schedule
      return { schedule: { id, revision, nextRunAt, overlap: work.overlap }, runs: [], nextRunAt: null }
    }
  }

  async #startWaiting(): Promise<void> {
    const { store, now } = this.#options
    for (const { id } of await store.startable(STARTED_AT_ONCE)) {
      if (this.#leaving.signal.aborted) return
      const run = await store.start(id, this.#lease(), isoOf(now()))
      if (run !== undefined) this.#conduct(run, BEGUN)
    }
  }

  async #takeOver(): Promise<void> {
    const { store, now } = this.#options
    for (const run of await store.abandoned(isoOf(now()), STARTED_AT_ONCE)) {
      // Its lease ended while it goes on here: it is prolonged with the others.
      if (this.#runs.has(run.id) || this.#leaving.signal.aborted) continue
      const taken = await store.takeOver(run, this.#lease())
      if (taken === undefined) continue
      const mayBegin = now() - Date.parse(run.leaseUntil ?? '') < BEGIN_WITHIN_MS
      this.#conduct(taken, { resumed: true, mayBegin })
    }
  }

  #conduct(run: ScheduleRunRow, how: Pick<ConductOptions, 'resumed' | 'mayBegin' | 'schedule'>): void {
    const { conductor, store, now } = this.#options
    const [cancel, leave] = [new AbortController(), new AbortController()]
    if (run.cancelRequestedAt !== null) cancel.abort()
    if (this.#leaving.signal.aborted) leave.abort()
    const own: GoingRun = { cancel, leave, leaseUntil: Date.parse(run.leaseUntil ?? '') }
    this.#runs.set(run.id, own)
    const holds = () => {
      if (now() >= own.leaseUntil) leave.abort()
      return !leave.signal.aborted
    }
    const conducting = async () => {
      try {
        const options = { ...how, holds, cancelled: cancel.signal, leaving: leave.signal }
        const end = await conductor.conduct(run, options)
        if (end !== undefined && (await store.finish(run, end))) this.#prune(run.scheduleId, run.work)
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

  /** Forgets old runs soon: of one schedule after the other, so that what is to begin has the store before them. */
  #prune(scheduleId: string, work: ScheduleWork | null | undefined): void {
    const { now } = this.#options
    if (work == null || now() - (this.#pruned.get(scheduleId) ?? 0) < PRUNE_EVERY_MS) return
    this.#pruned.set(scheduleId, now())
    if (this.#toPrune.size === 0) this.#pruning = this.#pruning.then(() => this.#pruneAll())
    this.#toPrune.set(scheduleId, work.keep_runs)
  }

  async #pruneAll(): Promise<void> {
    const { store } = this.#options
    for (const [scheduleId, keep] of this.#toPrune) {
      if (!this.#leaving.signal.aborted) await store.prune(scheduleId, keep).catch((err: unknown) => this.#failed(err))
      this.#toPrune.delete(scheduleId)
    }
  }

  async #renew(): Promise<void> {
    const { store, relayInstance } = this.#options
    if (this.#runs.size === 0) return
    const given = [...this.#runs]
    const lease = this.#lease()
    const owned = new Set(
      await store.renew(
        given.map(([runId]) => runId),
        lease,
      ),
    )
    for (const [runId, run] of given) {
      if (owned.has(runId)) run.leaseUntil = Date.parse(lease.leaseUntil)
      // Another relay has it, or it has ended just now: nothing more is sent, and nothing is ended.
      else run.leave.abort()
    }
    for (const runId of await store.cancelled(relayInstance)) this.#runs.get(runId)?.cancel.abort()
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

/** A run that begins here. */
const BEGUN = { resumed: false, mayBegin: true } as const

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
