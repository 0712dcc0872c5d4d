import { setTimeout as sleep } from 'node:timers/promises'
import { CmdopError, isFailure, toCmdopError } from '@cmdop/protocol'
import type { LimitFunction } from 'p-limit'
import pLimit from 'p-limit'
import type { ApprovalWaits } from '../approvals/approval-waits.ts'
import type { AskService } from '../ask/ask-service.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Caller } from '../auth/authenticate.ts'
import type { ClientPeers } from '../channel/clients.ts'
import type {
  ScheduleResultRow,
  ScheduleRow,
  ScheduleRunEnd,
  ScheduleRunRow,
  ScheduleWork,
} from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'
import { type MachineLink, openLink } from './machine-link.ts'
import { callIdOf, cancelledError, failedOutcome, NOTHING, type Outcome } from './outcome.ts'
import { askForCommand, runCommand } from './run-command.ts'
import { askForPrompt, runPrompt } from './run-prompt.ts'
import { Tally } from './tally.ts'
import { scheduleCaller } from './schedule-caller.ts'
import { machinesOf } from './targets.ts'

/** Milliseconds between two looks whether people have decided, so that a run that is cancelled stops waiting. */
const LOOK_FOR_DECISION_MS = 1000

/** Machines that are read at once when a run is gone on with. */
const PAGE = 500

export interface ConductorOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly clients: ClientPeers
  readonly asks: AskService
  readonly waits: ApprovalWaits
  /** Calls at once, of all runs of this relay. */
  readonly calls: LimitFunction
}

/** How a run is done, and what may end it before its time. */
export interface ConductOptions {
  /** Another relay has begun it. */
  readonly resumed: boolean
  /** Its schedule, where that was read just now. */
  readonly schedule?: ScheduleRow | undefined
  /** Somebody wants it to end: its processes are ended. */
  readonly cancelled: AbortSignal
  /** The relay ends: what runs is left to the next one. */
  readonly leaving: AbortSignal
}

interface Going extends ConductOptions {
  readonly run: ScheduleRunRow
  readonly work: ScheduleWork
  readonly caller: () => Promise<Caller>
  readonly link: MachineLink
}

/** Does one run of a schedule on all of its machines, as the schedule, with the rights that it has then. */
export class Conductor {
  readonly #options: ConductorOptions

  constructor(options: ConductorOptions) {
    this.#options = options
  }

  /** How it ended; undefined when it was left. */
  async conduct(run: ScheduleRunRow, options: ConductOptions): Promise<ScheduleRunEnd | undefined> {
    let end: Omit<ScheduleRunEnd, 'finishedAt'>
    try {
      end = await this.#conduct(run, options)
    } catch (cause) {
      const { code, message } = toCmdopError(cause, 'server', 'The relay met a fault of its own.')
      end = { status: 'failed', error: message, errorCode: code, counts: {} }
    }
    return options.leaving.aborted ? undefined : { ...end, finishedAt: new Date().toISOString() }
  }

  async #conduct(run: ScheduleRunRow, options: ConductOptions): Promise<Omit<ScheduleRunEnd, 'finishedAt'>> {
    const { store, clients } = this.#options
    const { work } = run
    if (work === null) throw new CmdopError('server', 'The run has no work; nothing ran.')
    const caller = () => scheduleCaller(store, run.scheduleId)
    const known = scheduleCaller(store, run.scheduleId, options.schedule)
    const first = await known.catch((cause: unknown) => this.#refused(run, cause))
    const results = options.resumed ? await this.#begun(run) : await this.#begin(run, work)
    await using link = await openLink(clients, first, caller)
    // Whoever leaves takes his ear away, and nothing else.
    const leave = () => void link[Symbol.asyncDispose]()
    options.leaving.addEventListener('abort', leave, { once: true })
    if (options.leaving.aborted) leave()
    const going: Going = { ...options, run, work, caller, link }
    const tally = new Tally()
    const limit = pLimit(work.concurrency)
    const ended = limit.map(results, (result) => this.#onMachine(going, result, tally))
    await Promise.all([ended, store.schedules.count(run.id, results.length)])
    return tally.end(options.cancelled.aborted)
  }

  /** Nobody is refused without a row. */
  async #refused(run: ScheduleRunRow, cause: unknown): Promise<never> {
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
    throw error
  }

  async #begin(run: ScheduleRunRow, work: ScheduleWork): Promise<ScheduleResultRow[]> {
    const { store } = this.#options
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
    const { cancelled, leaving } = going
    let row: ScheduleResultRow = { ...result, startedAt: result.startedAt ?? new Date().toISOString() }
    const outcome = going.resumed
      ? await this.#options.calls(() => this.#askFor(going, row))
      : cancelled.aborted
        ? failedOutcome(cancelledError())
        : await this.#try(going, row, (next) => void (row = next)).catch((cause: unknown) => failedOutcome(cause))
    if (leaving.aborted) return
    const finished = { ...row, ...outcome, finishedAt: new Date().toISOString() }
    await this.#options.store.schedules.saveResult(finished)
    tally.add(finished)
  }

  /** Tries until it succeeds or may be tried no more. */
  async #try(going: Going, given: ScheduleResultRow, changed: (row: ScheduleResultRow) => void): Promise<Outcome> {
    const { run, work, cancelled, leaving } = going
    const { schedules } = this.#options.store
    for (let attempt = 1; ; attempt += 1) {
      const callId = callIdOf(run.id, given.machineId, attempt)
      const row = { ...given, status: 'running' as const, callId, attempts: attempt }
      changed(row)
      const isNoted = attempt === 1 && given.status === 'running'
      const noted = isNoted ? undefined : schedules.saveResult(row)
      // Who goes on with the run has to know which try it was.
      if (attempt > 1) await noted
      const [outcome] = await Promise.all([this.#options.calls(() => this.#once(going, row)), noted])
      const isOver = attempt > work.retries || !mayRepeat(outcome) || cancelled.aborted || leaving.aborted
      if (isOver) return outcome
      const either = AbortSignal.any([cancelled, leaving])
      await sleep(work.retry_wait_seconds * 1000, undefined, { signal: either }).catch(() => {})
      if (either.aborted) return outcome
    }
  }

  /** One try, for which people may have to be waited for. */
  async #once(going: Going, row: ScheduleResultRow): Promise<Outcome> {
    const { work, cancelled, leaving } = going
    const waitUntil = Date.now() + work.approval_wait_seconds * 1000
    for (;;) {
      if (cancelled.aborted) return failedOutcome(cancelledError())
      const outcome = await this.#call(going, row)
      if (outcome.errorCode !== 'approval_required' || outcome.approvalId === null) return outcome
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
    return failedOutcome(cancelledError())
  }

  #call(going: Going, { machineId, callId }: ScheduleResultRow): Promise<Outcome> {
    const { asks } = this.#options
    const call = { ...going, asks, machineId, callId }
    return going.work.prompt === null ? runCommand(call) : runPrompt(call)
  }

  /** How it ended on a machine to which another relay has sent it, or had not yet. */
  #askFor(going: Going, row: ScheduleResultRow): Promise<Outcome> {
    const { asks } = this.#options
    const { machineId, callId, startedAt } = row
    const call = { ...going, asks, machineId, callId }
    return going.work.prompt === null ? askForCommand(call, going.run.startedAt ?? startedAt ?? '') : askForPrompt(call)
  }
}

/** What failed, timed out or was not reached; never what may still run, or what somebody has refused. */
function mayRepeat({ status, errorCode }: Outcome): boolean {
  return isFailure(status) && ['failed', 'timeout', 'unreachable'].includes(status) && errorCode !== 'not_found'
}
