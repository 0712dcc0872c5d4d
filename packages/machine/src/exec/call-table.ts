import {
  type Channel,
  CmdopError,
  commandText,
  type ExecAttachParams,
  type ExecParams,
  isCmdopError,
  isErrorCode,
  type Permit,
  type RecordingSubject,
  refuseLate,
  type RememberedFor,
  type RememberedSince,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import { type Recorder, subjectOf } from '../recordings/recorder.ts'
import type { RestrictedCommands } from '../restricted/restricted-commands.ts'
import type { SessionTable } from '../sessions/session-table.ts'
import { Call, type CallOptions, type CallOwner, sendResult } from './call.ts'
import { CallJournal, type CallRecord } from './call-journal.ts'
import { type CallResult, CallResults } from './call-results.ts'
import { endMarked, spawnGroup } from './process-group.ts'

/** Milliseconds by which a clock is corrected all the time. */
const CLOCK_JITTER_MS = 1000

/** Milliseconds in which a call id is known after the call is over, so that nothing sent twice runs twice. */
const REMEMBER_MS = 600_000

export interface CallTableOptions {
  readonly machineId: string
  /** Folder of the journal. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly home: string
  readonly recorder: Recorder
  /** Starts what may not do everything. */
  readonly restricted: Pick<RestrictedCommands, 'start'>
  /** Where a command is shown that asks for it. */
  readonly sessions: Pick<SessionTable, 'mirror'>
  /** Milliseconds since 1970 by the relay's clock, rather too late than too early. */
  readonly now: () => number
  /** Which start of the machine this is, for tests. Default: what the system says. */
  readonly boot?: string
  readonly log: Logger
}

/** The commands of this machine: running, just ended, and lost with an earlier daemon. */
export class CallTable {
  readonly #options: CallTableOptions
  readonly #journal: CallJournal
  readonly #results: CallResults
  readonly #calls = new Map<string, Call>()
  /** Settle with their start. */
  readonly #starting = new Map<string, Promise<Call>>()
  readonly #ended = new Map<string, number>()
  readonly #lost = new Map<string, CallRecord>()
  /** What becomes of calls that are over. */
  readonly #settling = new Set<Promise<void>>()
  readonly #startedAt = performance.now()
  #closed = false

  constructor(options: CallTableOptions) {
    this.#options = options
    const results = new CallResults(`${options.folder}-results`)
    const { boot } = options
    const onCrash = () => results.forgetBefore(Date.now())
    this.#results = results
    this.#journal = new CallJournal(options.folder, { boot, isFirst: results.isFirst, onCrash })
  }

  /** Running commands. */
  get size(): number {
    return this.#calls.size
  }

  /** Ends what an earlier daemon left running. Resolves when it is gone; those calls answer `lost` from then on. */
  async endLeftovers(): Promise<void> {
    const left = this.#journal.left()
    // One that had ended by itself and was remembered is not lost.
    for (const record of left) if (!this.#results.has(record.callId)) this.#lost.set(record.callId, record)
    const running = left.filter(({ hasEnded }) => hasEnded !== true)
    const ended = await Promise.all(running.map(({ callId }) => endMarked(this.#marker(callId))))
    for (const record of left) {
      const { callId, recording, keepResult } = record
      const recorded = recording === undefined ? undefined : this.#options.recorder.lost(recording)
      const isRemembered = keepResult === true && this.#lost.has(callId)
      this.#settle(callId, isRemembered ? failedResult(record, lostError()) : undefined, recorded)
    }
    await this.#results.settled()
    if (left.length === 0) return
    const processes = ended.reduce((sum, count) => sum + count, 0)
    this.#options.log.warn({ processes, calls: [...this.#lost.keys()] }, 'ended what an earlier daemon left')
  }

  /** Marks everything that a call starts. A call that ended is not in the journal: what it left on purpose stays. */
  #marker(callId: string): string {
    return `${this.#options.machineId}:${callId}`
  }

  /** Starts the command of an `exec` channel. */
  async start(channel: Channel, params: ExecParams, permit: Permit): Promise<void> {
    const { callId, deadlineMs } = channel.open
    this.#assertNew(callId)
    if (this.#closed) throw new CmdopError('unavailable', 'The daemon of the machine is stopping; nothing ran.')
    const { principalId, fleetId } = permit
    const mirror = this.#options.sessions.mirror(params, permit)
    const recording = subjectOf(permit, { kind: 'exec', title: commandText(params.command), reason: null })
    const owner = { principalId, fleetId }
    const starting = this.#begin({ owner, params, deadlineMs, mirror }, permit, recording)
    this.#starting.set(callId, starting)
    try {
      const call = await starting
      this.#calls.set(callId, call)
      this.#follow(callId, call, params.keepResult)
      call.attach(channel, 0)
    } catch (error) {
      const isRemembered = params.keepResult && isCmdopError(error)
      this.#settle(callId, isRemembered ? failedResult({ callId, ...owner }, error) : undefined)
      this.#forget(callId)
      throw error
    } finally {
      this.#starting.delete(callId)
    }
  }

  /** What is to be remembered is written before anything runs. */
  async #begin(
    options: Omit<CallOptions, 'group' | 'record'>,
    permit: Permit,
    recording: RecordingSubject,
  ): Promise<Call> {
    const { startedAt, subjectId: callId } = recording
    const record = { callId, ...options.owner, startedAt, recording }
    this.#journal.begin(options.params.keepResult ? { ...record, keepResult: true } : record)
    return this.#spawn(options, permit, recording)
  }

  async #spawn(
    options: Omit<CallOptions, 'group' | 'record'>,
    permit: Permit,
    recording: RecordingSubject,
  ): Promise<Call> {
    const { environment, home, recorder, restricted, now } = this.#options
    const { params } = options
    const late = refuseLate(params.notAfter, now())
    if (late !== undefined) throw late
    const callId = recording.subjectId
    const marker = this.#marker(callId)
    const group =
      (await restricted.start({ callId, params, permit, marker })) ??
      (await spawnGroup({ params, marker, environment, home }))
    return new Call({ ...options, group, record: recorder.beginExec(recording) })
  }

  /** Goes on with a command on another channel; only for the principal that started it. */
  async attach(channel: Channel, params: ExecAttachParams, permit: Permit): Promise<void> {
    const { callId } = channel.open
    await this.#starting.get(callId)?.catch(() => {})
    const call = this.#calls.get(callId)
    if (!isOwner(call?.owner ?? this.#lost.get(callId), permit))
      throw unknownCall({ rememberedForMs: Math.max(0, Date.now() - this.#since()) })
    if (call === undefined) throw lostError()
    call.attach(channel, params.offset)
  }

  /** How a call ended, once it has; only for the principal that started it. */
  async result(channel: Channel, permit: Permit): Promise<void> {
    const { callId } = channel.open
    await this.#starting.get(callId)?.catch(() => {})
    const call = this.#calls.get(callId)
    if (call !== undefined && isOwner(call.owner, permit)) return call.adopt(channel)
    const known = await this.#results.find(callId)
    if (known !== undefined && isOwner(known, permit)) {
      if (known.end === null) throw errorOf(known)
      channel.accept()
      return sendResult(channel, { ...known, end: known.end })
    }
    if (isOwner(this.#lost.get(callId), permit)) throw lostError()
    throw unknownCall({ rememberedSince: this.#rememberedSince(permit) })
  }

  /** By the relay's clock, which may be another than ours. */
  #rememberedSince({ issuedAt }: Permit): string {
    return new Date(this.#since() + issuedAt - Date.now()).toISOString()
  }

  /** From when on no call is missing, by our clock as it is now. After a crash of the machine that clock may have been set since. */
  #since(): number {
    const started = Date.now() - (performance.now() - this.#startedAt)
    if (!this.#journal.isWhole && started > this.#results.since + CLOCK_JITTER_MS)
      try {
        this.#results.forgetBefore(started)
      } catch (err) {
        this.#options.log.error({ err }, 'since when calls are remembered could not be written')
      }
    return this.#results.since
  }

  /** Ends every command, and goes on. */
  async endAll(): Promise<void> {
    await Promise.allSettled(this.#starting.values())
    await Promise.all(Array.from(this.#calls.values(), (call) => call.close()))
  }

  /** Starts nothing any more, ends every command and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true
    this.#since()
    await Promise.allSettled(this.#starting.values())
    await Promise.all(Array.from(this.#calls.values(), (call) => call.close()))
    await Promise.all([this.#results.settled(), this.#options.recorder.flush()])
    await Promise.all(this.#settling)
    this.#journal[Symbol.dispose]()
  }

  #assertNew(callId: string): void {
    const known =
      this.#starting.has(callId) ||
      this.#calls.has(callId) ||
      this.#ended.has(callId) ||
      this.#lost.has(callId) ||
      this.#results.has(callId)
    if (known) throw new CmdopError('conflict', 'This call id was used before; nothing ran. Use a new one.')
  }

  #follow(callId: string, call: Call, keepResult: boolean): void {
    void call.ended.then(() => {
      this.#note('ended', callId)
      const { result } = call
      const isRemembered = keepResult && result !== undefined
      const remembered = isRemembered ? { callId, ...call.owner, failure: null, ...result } : undefined
      this.#settle(callId, remembered, call.recorded)
    })
    void call.over.then(() => this.#forget(callId))
  }

  /** A later daemon has nothing to do for it once it is remembered, where it is to be, and recorded. */
  #settle(callId: string, result: CallResult | undefined, recorded = Promise.resolve()): void {
    const saved = result === undefined ? Promise.resolve(true) : this.#save(result)
    if (result !== undefined) void recorded.then(() => this.#note('recorded', callId))
    const settled = Promise.all([saved, recorded])
      .then(([isSaved]) => {
        if (isSaved) this.#note('forget', callId)
      })
      .finally(() => this.#settling.delete(settled))
    this.#settling.add(settled)
  }

  /** One that cannot be written stays in the journal, so that a later daemon says that it was lost. */
  async #save(result: CallResult): Promise<boolean> {
    try {
      await this.#results.save(result)
      return true
    } catch (err) {
      this.#options.log.error({ err, callId: result.callId }, 'the result of a call could not be kept')
      return false
    }
  }

  /** A journal that cannot be written is a fault of the disk, and no reason to end other commands. */
  #note(what: 'ended' | 'recorded' | 'forget', callId: string): void {
    try {
      this.#journal[what](callId)
    } catch (err) {
      this.#options.log.error({ err, callId }, 'the call journal could not be written')
    }
  }

  #forget(callId: string): void {
    this.#calls.delete(callId)
    const now = Date.now()
    this.#ended.set(callId, now)
    for (const [id, endedAt] of this.#ended) {
      if (now - endedAt < REMEMBER_MS) break
      this.#ended.delete(id)
    }
  }
}

function isOwner(owner: CallOwner | undefined, { principalId, fleetId }: Permit): boolean {
  return owner?.principalId === principalId && owner.fleetId === fleetId
}

function unknownCall(details: RememberedSince | RememberedFor): CmdopError {
  return new CmdopError('not_found', 'This machine knows no such call of yours.', { details })
}

function lostError(): CmdopError {
  return new CmdopError('lost', 'The daemon ended under this command; what was left of it was stopped.')
}

/** A call that did not run to an end. */
function failedResult({ callId, principalId, fleetId }: CallOwner & { callId: string }, error: CmdopError): CallResult {
  const { code, message, details } = error
  const none = new Uint8Array()
  return { callId, principalId, fleetId, end: null, failure: { code, message, details }, stdout: none, stderr: none }
}

function errorOf({ failure }: CallResult): CmdopError {
  if (failure === null || !isErrorCode(failure.code)) return lostError()
  return new CmdopError(failure.code, failure.message, { details: failure.details })
}
