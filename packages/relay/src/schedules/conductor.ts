import { setTimeout as sleep } from 'node:timers/promises'
import { CmdopError, isCmdopError, isFailure, outcomes, toCmdopError } from '@cmdop/protocol'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Logger } from 'pino'
import type { ApprovalWaits } from '../approvals/approval-waits.ts'
import type { AskService } from '../ask/ask-service.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Caller } from '../auth/authenticate.ts'
import { type OwnerOf, ownerIn } from '../auth/owner.ts'
import type { Bus } from '../bus/bus.ts'
import type { ClientPeers } from '../channel/clients.ts'
import type {
  ScheduleResultRow,
  ScheduleRow,
  ScheduleRunEnd,
  ScheduleRunRow,
  ScheduleWork,
} from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'
import type { CallSlots } from './call-slots.ts'
import { type MachineLink, openLink } from './machine-link.ts'
import { callIdOf, cancelledError, failedOutcome, NOTHING, type Outcome } from './outcome.ts'
import { oncePerTurn } from './once-per-turn.ts'
import { askForCommand, runCommand } from './run-command.ts'
import { askForPrompt, endPrompt, runPrompt } from './run-prompt.ts'
import { runEnder } from './run-ender.ts'
import { RunLeft } from './run-left.ts'
import { Tally } from './tally.ts'
import { scheduleCaller, whoMayStill } from './schedule-caller.ts'
import { machinesOf } from './targets.ts'

/** Milliseconds between two looks whether people have decided, so that a run that is cancelled stops waiting. */
const LOOK_FOR_DECISION_MS = 1000

/**
 * Milliseconds that an end waits for others, with which it shares a commit; and for as long as runs begin, one after the other with less than
 * so many milliseconds in between, so that nobody who is to begin waits for those who have ended; and at most.
 */
const SETTLE_MS = 20
const BEGIN_FIRST_MS = 100
const SETTLE_WITHIN_MS = 500

/** Milliseconds in which machines come back to a relay that was away, and between two looks whether one has. */
const COMES_BACK_WITHIN_MS = 30_000
const LOOK_WHETHER_BACK_MS = 250

/** Machines that are read at once when a run is gone on with. */
const PAGE = 500

/** How often something is written that the store does not take, and milliseconds before the second time; each further one waits twice as long. */
const SAVES = 5
const SAVE_AGAIN_MS = 100

export interface ConductorOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Pick<Bus, 'owners'>
  readonly clients: ClientPeers
  readonly asks: AskService
  readonly waits: ApprovalWaits
  readonly calls: CallSlots
  readonly log: Logger
  /** The relay takes nothing new any more: what has not begun is left. */
  readonly isDraining: () => boolean
}

/** How a run is done, and what may end it before its time. */
export interface ConductOptions {
  /** Another relay has begun it. */
  readonly resumed: boolean
  /** It was without a relay for so short a time that machines to which it had not come may still begin. */
  readonly mayBegin: boolean
  /** Whether this relay has it still: asked before anything is sent. */
  readonly holds: () => boolean
  /** Its schedule, where that was read just now. */
  readonly schedule?: ScheduleRow | undefined
  /** Somebody wants it to end: its processes are ended. */
  readonly cancelled: AbortSignal
  /** The relay ends, or has it no more: what runs is left to the next one. */
  readonly leaving: AbortSignal
}

interface Acting extends ConductOptions {
  readonly run: ScheduleRunRow
  readonly work: ScheduleWork
  readonly caller: () => Promise<Caller>
  /** Another relay has begun it, and who wrote it may not ask for it any more: what still runs is ended. */
  readonly isEnding: boolean
}

interface Going extends Acting {
  readonly link: MachineLink
  /** Lets act on so many machines at once. */
  readonly limit: LimitFunction
  /** Until when machines may come back that are not there, in milliseconds since 1970; 0: they should be there. */
  readonly comeBackUntil: number
}

/** Does one run of a schedule on all of its machines, as the schedule, with the rights that it has then. */
export class Conductor {
  readonly #options: ConductorOptions
  readonly #ownerOf: OwnerOf
  #settling: Promise<void> | undefined
  /** When a run has begun last, as of `performance.now()`. */
  #begunAt = Number.NEGATIVE_INFINITY
  readonly #startedAt = new Date().toISOString()

  constructor(options: ConductorOptions) {
    this.#options = options
    this.#ownerOf = oncePerTurn(ownerIn(options.store))
  }

  /** How it ended; undefined when it was left. */
  async conduct(run: ScheduleRunRow, options: ConductOptions): Promise<ScheduleRunEnd | undefined> {
    let end: Omit<ScheduleRunEnd, 'finishedAt'>
    try {
      end = await this.#conduct(run, options)
    } catch (cause) {
      if (cause instanceof RunLeft) {
        if (cause.cause !== undefined)
          this.#options.log.error({ err: cause.cause, runId: run.id }, 'a run of a schedule is left to its lease')
        return undefined
      }
      const { code, message } = toCmdopError(cause, 'server', 'The relay met a fault of its own.')
      end = { status: 'failed', error: message, errorCode: code, counts: {} }
    }
    return options.leaving.aborted ? undefined : { ...end, finishedAt: new Date().toISOString() }
  }

  async #conduct(run: ScheduleRunRow, given: ConductOptions): Promise<Omit<ScheduleRunEnd, 'finishedAt'>> {
    const { store } = this.#options
    const { work } = run
    if (work === null) throw new CmdopError('server', 'The run has no work; nothing ran.')
    // A key that takes the place of the run's is in its row.
    const caller = async () => scheduleCaller(store, (await store.schedules.getRun(run.id)) ?? run)
    const known = scheduleCaller(store, run, { known: given.schedule, ownerOf: this.#ownerOf })
    // A run that has begun nothing is refused by the gate, machine by machine.
    const acting = given.resumed ? known.then((writer) => whoMayStill(writer, work)) : known
    const first = await acting.catch((cause: unknown) => this.#refused(run, cause))
    if (!isCmdopError(first)) return await this.#act({ ...given, run, work, caller, isEnding: false }, first)
    if (!given.resumed) throw first
    if (first.code === 'unavailable') throw new RunLeft(first)
    const ender = runEnder(run)
    const ending = { ...given, run, work, caller: async () => ender, isEnding: true, cancelled: AbortSignal.abort() }
    return { ...(await this.#act(ending, ender)), status: 'failed', error: first.message, errorCode: first.code }
  }

  /** On every machine; `first`: who acts, as that is now. */
  async #act(acting: Acting, first: Caller): Promise<Omit<ScheduleRunEnd, 'finishedAt'>> {
    const { store, clients } = this.#options
    const { run, work, caller, leaving } = acting
    const results = acting.resumed ? await this.#begun(run) : await this.#begin(run, work)
    await using link = await openLink(clients, first, caller)
    // Whoever leaves takes his ear away, and nothing else.
    const leave = () => void link[Symbol.asyncDispose]()
    leaving.addEventListener('abort', leave, { once: true })
    if (leaving.aborted) leave()
    // The relay was away at its instant, so that its machines were without one, too.
    const wasAway = run.trigger === 'missed' || run.createdAt < this.#startedAt
    const comeBackUntil = wasAway && !acting.isEnding ? Date.now() + COMES_BACK_WITHIN_MS : 0
    const going: Going = { ...acting, link, limit: pLimit(work.concurrency), comeBackUntil }
    const tally = new Tally()
    // It is over when it is on every machine, whatever becomes of one.
    const ended = await Promise.allSettled([
      ...results.map((result) => this.#onMachine(going, result, tally)),
      this.#persist(() => store.schedules.count(run.id, results.length)),
    ])
    const fault = ended.find((each) => each.status === 'rejected')
    if (fault !== undefined) throw fault.reason instanceof RunLeft ? fault.reason : new RunLeft(fault.reason)
    return tally.end(going.cancelled.aborted)
  }

  /** What a machine did is not lost because the store takes nothing for a moment. Throws {@link RunLeft} when it takes nothing for long. */
  async #persist(write: () => Promise<void>): Promise<void> {
    for (let count = 1; ; count += 1) {
      try {
        return await write()
      } catch (cause) {
        if (count === SAVES) throw new RunLeft(cause)
        await sleep(SAVE_AGAIN_MS * 2 ** (count - 1))
      }
    }
  }

  async #save({ relayInstance }: ScheduleRunRow, result: ScheduleResultRow): Promise<void> {
    await this.#persist(() => this.#options.store.schedules.saveResult(result, relayInstance ?? ''))
  }

  /** Nobody is refused without a row. */
  async #refused(run: ScheduleRunRow, cause: unknown): Promise<CmdopError> {
    const { audit } = this.#options
    const error = toCmdopError(cause, 'unavailable', 'The relay could not look up for whom the schedule acts.')
    await audit.denySeldom(run.scheduleId, {
      fleetId: run.fleetId,
      principalId: run.scheduleId,
      principalKind: 'schedule',
      action: 'schedule.run',
      subject: `schedule:${run.scheduleId}`,
      code: error.code,
    })
    return error
  }

  async #begin(run: ScheduleRunRow, work: ScheduleWork): Promise<ScheduleResultRow[]> {
    const { store } = this.#options
    this.#begunAt = performance.now()
    const machines = await machinesOf(store, run.fleetId, work)
    const at = new Date().toISOString()
    const results = machines.map(({ id: machineId, name: machineName }, index): ScheduleResultRow => {
      const about = { runId: run.id, machineId, machineName, callId: callIdOf(run.id, machineId, 1), finishedAt: null }
      // Those that begin at once are not noted a second time.
      const isFirst = index < work.concurrency
      const begun = isFirst ? { attempts: 1, startedAt: at } : { attempts: 0, startedAt: null }
      return { ...NOTHING, ...about, ...begun, status: isFirst ? 'running' : 'pending' }
    })
    await store.schedules.addResults(results)
    return results
  }

  async #begun(run: ScheduleRunRow): Promise<ScheduleResultRow[]> {
    const { schedules } = this.#options.store
    const results: ScheduleResultRow[] = []
    for (let last: ScheduleResultRow | undefined; ;) {
      const page = await schedules.results(run.id, { limit: PAGE, ...(last === undefined ? {} : { after: last }) })
      // What it wrote is in the store, and of no use here.
      results.push(...page.map((result) => ({ ...result, output: '', answer: null })))
      last = page.at(-1)
      if (page.length < PAGE || last === undefined) break
    }
    if (results.length > 0) return results
    throw new CmdopError('lost', 'The relay ended before the run had begun on any machine; nothing ran.')
  }

  async #onMachine(going: Going, result: ScheduleResultRow, tally: Tally): Promise<void> {
    if (result.finishedAt !== null) return tally.add(result)
    const { leaving, limit } = going
    let row = result
    const outcome = await limit(async () => {
      row = { ...result, startedAt: result.startedAt ?? new Date().toISOString() }
      return await this.#outcome(going, row, (next) => void (row = next))
    }).catch((cause: unknown) => {
      if (cause instanceof RunLeft) throw cause
      return failedOutcome(cause)
    })
    if (leaving.aborted) throw new RunLeft()
    const finished = { ...row, ...outcome, finishedAt: new Date().toISOString() }
    await this.#settle()
    await this.#save(going.run, finished)
    tally.add(finished)
  }

  /** Resolves for all who end at about the same time. */
  #settle(): Promise<void> {
    this.#settling ??= this.#othersFirst().finally(() => (this.#settling = undefined))
    return this.#settling
  }

  async #othersFirst(): Promise<void> {
    const end = performance.now() + SETTLE_WITHIN_MS
    do await sleep(SETTLE_MS)
    while (performance.now() < Math.min(end, this.#begunAt + BEGIN_FIRST_MS))
  }

  async #outcome(going: Going, row: ScheduleResultRow, changed: (row: ScheduleResultRow) => void): Promise<Outcome> {
    const { run, resumed, mayBegin, cancelled } = going
    if (resumed && row.attempts > 0) return this.#options.calls.run(run.fleetId, () => this.#askFor(going, row))
    if (cancelled.aborted) return failedOutcome(cancelledError())
    if (resumed && !mayBegin)
      return failedOutcome(new CmdopError('unavailable', 'No relay was there to begin it; nothing ran.'))
    return this.#try(going, row, changed)
  }

  /** Tries until it succeeds or may be tried no more. */
  async #try(going: Going, given: ScheduleResultRow, changed: (row: ScheduleResultRow) => void): Promise<Outcome> {
    const { run, work, cancelled, leaving } = going
    for (let attempt = 1; ; attempt += 1) {
      const callId = callIdOf(run.id, given.machineId, attempt)
      const row = { ...given, status: 'running' as const, callId, attempts: attempt }
      changed(row)
      const isNoted = attempt === 1 && given.status === 'running'
      const noted = isNoted ? Promise.resolve() : this.#save(run, row)
      // It is waited for below.
      noted.catch(() => {})
      // Who goes on with the run has to know which try it was.
      if (attempt > 1) await noted
      const outcome = await this.#once(going, row).catch(async (cause: unknown) => {
        await noted
        if (cause instanceof RunLeft) await this.#putBack(run, row)
        throw cause
      })
      await noted
      const isOver = attempt > work.retries || !mayRepeat(outcome) || cancelled.aborted || leaving.aborted
      if (isOver) return outcome
      const either = AbortSignal.any([cancelled, leaving])
      await sleep(work.retry_wait_seconds * 1000, undefined, { signal: either }).catch(() => {})
      if (either.aborted) return outcome
    }
  }

  /** A try that was not sent: whoever has the run next begins it. */
  async #putBack(run: ScheduleRunRow, row: ScheduleResultRow): Promise<void> {
    const attempts = row.attempts - 1
    const callId = callIdOf(run.id, row.machineId, Math.max(1, attempts))
    const before = attempts === 0 ? ({ status: 'pending', startedAt: null } as const) : {}
    await this.#save(run, { ...row, ...before, attempts, callId })
  }

  /** Waits until the machine is there, where it may still be on its way back. */
  async #comeBack({ comeBackUntil, cancelled, leaving }: Going, machineId: string): Promise<void> {
    if (comeBackUntil === 0) return
    const either = AbortSignal.any([cancelled, leaving])
    while (Date.now() < comeBackUntil && !either.aborted) {
      if ((await this.#options.bus.owners([machineId])).has(machineId)) return
      await sleep(LOOK_WHETHER_BACK_MS, undefined, { signal: either }).catch(() => {})
    }
  }

  /** One try, for which people may have to be waited for. */
  async #once(going: Going, row: ScheduleResultRow): Promise<Outcome> {
    const { work, cancelled, leaving } = going
    await this.#comeBack(going, row.machineId)
    const waitUntil = Date.now() + work.approval_wait_seconds * 1000
    for (;;) {
      if (cancelled.aborted) return failedOutcome(cancelledError())
      const outcome = await this.#call(going, row)
      const isAsked = outcome.errorCode === 'approval_required' && !outcomes[outcome.status].mayHaveRun
      if (!isAsked || outcome.approvalId === null) return outcome
      if (work.approval_wait_seconds === 0 || leaving.aborted) return outcome
      const refusal = await this.#decided(going, { outcome, approvalId: outcome.approvalId, until: waitUntil })
      if (refusal !== undefined) return refusal
    }
  }

  /** Undefined once people have approved it; how it ends where they have not. */
  async #decided(
    { run, cancelled, leaving }: Going,
    { outcome, approvalId, until }: { outcome: Outcome; approvalId: string; until: number },
  ): Promise<Outcome | undefined> {
    while (!cancelled.aborted && !leaving.aborted) {
      const leftMs = Math.min(until - Date.now(), LOOK_FOR_DECISION_MS)
      if (leftMs <= 0) return outcome
      const { state } = await this.#options.waits.ofFleet(run.fleetId, approvalId, leftMs)
      if (state === 'approved') return undefined
      if (state !== 'pending')
        return failedOutcome(new CmdopError('approval_denied', `Nobody approved it (${state}); nothing ran.`), {
          approvalId,
        })
    }
    if (leaving.aborted) throw new RunLeft()
    return failedOutcome(cancelledError())
  }

  /** Sends it, once there is room. Throws {@link RunLeft} where this relay sends nothing any more. */
  #call(going: Going, { machineId, callId }: ScheduleResultRow): Promise<Outcome> {
    const { asks, calls, isDraining } = this.#options
    const call = { ...going, asks, machineId, callId }
    return calls.run(going.run.fleetId, async () => {
      if (going.cancelled.aborted) return failedOutcome(cancelledError())
      if (isDraining() || going.leaving.aborted || !going.holds()) throw new RunLeft()
      const outcome = await (going.work.prompt === null ? runCommand(call) : runPrompt(call))
      // The relay has begun to end meanwhile, and has refused it.
      if (isDraining() && outcome.status === 'unreachable') throw new RunLeft()
      return outcome
    })
  }

  /** How it ended on a machine to which another relay has sent it, or had not yet. */
  #askFor(going: Going, row: ScheduleResultRow): Promise<Outcome> {
    const { asks } = this.#options
    const { machineId, callId, startedAt } = row
    const call = { ...going, asks, machineId, callId }
    if (going.work.prompt === null) return askForCommand(call, going.run.startedAt ?? startedAt ?? '')
    return going.isEnding ? endPrompt(call) : askForPrompt(call)
  }
}

/** What failed, timed out or was not reached; never what may still run, or what somebody has refused. */
function mayRepeat({ status, errorCode }: Outcome): boolean {
  return isFailure(status) && ['failed', 'timeout', 'unreachable'].includes(status) && errorCode !== 'not_found'
}
