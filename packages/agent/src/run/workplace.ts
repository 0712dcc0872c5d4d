import type { EffectSummary, ExecChunk, ExecExit, ExecOptions, Execution, Machine, Restrictions } from '@cmdop/core'
import { CmdopError, DEFAULT_ORPHAN_MS, isCmdopError, MAX_ORPHAN_MS } from '@cmdop/protocol'
import { type Carried, CarriedState } from './carried-state.ts'
import type { MarkFilter } from './mark-filter.ts'
import { recover } from './recover.ts'
import { unlessAborted } from './patience.ts'
import { RunEffects, unreadEffects } from './run-effects.ts'
import { closeRunSession, openRunPlace, type RunPlace, type RunPlaceOptions } from './run-session.ts'

/** Milliseconds that clearing up after a run may take. */
const CLEAR_WITHIN_MS = 5000

/** Milliseconds that it may take to find out what a run under restrictions changed: a large effect is compared file by file. */
const EFFECTS_WITHIN_MS = 120_000

/** Where the commands of one run work: they are shown in a session of its own, and each goes on where the last one ended. */
export interface Workplace extends AsyncDisposable {
  /** null: no command has run yet, or the machine shows none. */
  readonly sessionId: string | null
  readonly recordingId: string | null
  /** What carries over to the next command; null: nothing has yet. */
  readonly carried: Carried | null
  /** The machine as the run has it: under restrictions, as its session does. */
  readonly machine: Machine
  /** What holds, once it is open; undefined: nothing does. */
  readonly restrictions: Restrictions | undefined
  /** What was changed under restrictions; complete once it is closed. */
  readonly effects: RunEffects
  /** Throws `session_lost` where a call worked in a view that is gone. */
  stayAt(sessionId: string): void
  /** Goes on where another process has left it. Throws `session_lost` where what that one changed was in a view that is gone. */
  restore(carried: Carried): void
  /** Where there are restrictions, has them held from now on: to be called before anything else. Rejects with `restriction_unenforceable`. */
  open(signal: AbortSignal): Promise<void>
  /** Runs a command: its output as it comes, and how it ended. Leaving ends it. A `cwd` counts for this command only. */
  run(command: string | readonly string[], options: CommandOptions): Running
  /** Finds out what was changed so far, and leaves the rest to whoever goes on. Resolves and never rejects as `close` does. */
  pause(): Promise<readonly string[]>
  /**
   * Ends what is left of it, within 5 s, under restrictions within 120 s, and no longer than until the signal is aborted. Resolves
   * with what could not be found out of the effects. Never rejects.
   */
  close(signal?: AbortSignal): Promise<readonly string[]>
}

/** A command that runs. */
export type Running = AsyncGenerator<CommandOutput, ExecExit, void>

/** A piece of its output. */
export interface CommandOutput extends Pick<ExecChunk, 'stream' | 'data'> {
  /** Bytes before it that nobody kept. */
  readonly skipped?: number
}

/** How a command runs at its workplace. */
export interface CommandOptions extends Pick<
  ExecOptions,
  'cwd' | 'env' | 'signal' | 'deadlineMs' | 'approval' | 'skill' | 'stdin'
> {
  /** It may run beside others, and leaves nothing to the next one. */
  readonly readOnly?: boolean | undefined
  /** Under which the machine remembers how it ended. */
  readonly callId?: string | undefined
  /** It may have been run, then: the machine is asked for it first. */
  readonly startedAt?: string | undefined
}

/** What a workplace is for. */
export interface WorkplaceOptions extends Omit<RunPlaceOptions, 'restrictions' | 'signal'> {
  /** All of them hold. Default: none. */
  readonly restrictions?: readonly Restrictions[] | undefined
  readonly onEffect?: ((effect: EffectSummary) => void) | undefined
  /** What keeps output from saying where the next command begins. */
  readonly carryNonce?: string | undefined
}

/** The workplace of a run. Its session is opened before the first command, under restrictions with `open`. */
export function createWorkplace(machine: Machine, options: WorkplaceOptions): Workplace {
  return new RunWorkplace(machine, options)
}

class RunWorkplace implements Workplace {
  readonly effects: RunEffects
  readonly #machine: Machine
  readonly #options: RunPlaceOptions
  readonly #state: CarriedState
  #opening: Promise<RunPlace> | undefined
  #place: RunPlace | undefined
  #restored: Carried | undefined
  #closing: Promise<readonly string[]> | undefined

  constructor(machine: Machine, { prompt, runId, restrictions = [], onEffect, carryNonce }: WorkplaceOptions) {
    this.#machine = machine
    this.#options = { prompt, runId, restrictions }
    this.#state = new CarriedState(carryNonce)
    this.effects = new RunEffects(onEffect)
  }

  get sessionId() {
    return this.#place?.session?.id ?? this.#restored?.sessionId ?? null
  }

  get recordingId() {
    return this.#place?.session?.recordingId ?? null
  }

  get carried(): Carried | null {
    const { directory = null, hasVariables } = this.#state
    const { sessionId } = this
    return directory === null && !hasVariables && sessionId === null ? null : { directory, hasVariables, sessionId }
  }

  get machine(): Machine {
    return this.#place?.machine ?? this.#machine
  }

  get restrictions(): Restrictions | undefined {
    return this.#place?.restrictions
  }

  stayAt(sessionId: string): void {
    const isElsewhere = this.#place !== undefined && sessionId !== this.#place.session?.id
    if (isElsewhere && this.restrictions?.dryRun === true) throw viewIsGone()
  }

  restore(carried: Carried): void {
    if (carried.sessionId !== null) this.stayAt(carried.sessionId)
    this.#restored = carried
    this.#state.restore(carried)
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#options.restrictions.length > 0) await this.#open(signal)
  }

  async *run(command: string | readonly string[], options: CommandOptions): Running {
    try {
      const exit = yield* this.#once(command, options)
      this.effects.add(exit.effect)
      return exit
    } catch (error) {
      this.effects.addOf(error)
      throw error
    }
  }

  async pause(): Promise<readonly string[]> {
    const { session, restrictions } = this.#place ?? {}
    if (restrictions === undefined || session === undefined) return []
    return this.effects.complete(this.#machine, session.id, AbortSignal.timeout(CLEAR_WITHIN_MS))
  }

  close(signal?: AbortSignal): Promise<readonly string[]> {
    return (this.#closing ??= this.#close(signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #once(command: string | readonly string[], { startedAt, ...options }: CommandOptions): Running {
    const { callId, signal } = options
    if (startedAt === undefined || callId === undefined) return this.#runNow(command, options)
    return recover({
      machine: this.#machine,
      call: { callId, startedAt, signal },
      filter: typeof command === 'string' ? this.#state.filter(options.cwd === undefined) : undefined,
      runNow: () => this.#runNow(command, options),
    })
  }

  async *#runNow(command: string | readonly string[], { readOnly, callId, ...given }: CommandOptions): Running {
    const options: ExecOptions = { ...given, ...(callId === undefined ? {} : remembered(callId, given.deadlineMs)) }
    const work = { command, options, readOnly }
    for (let isSecond = false; ; isSecond = true) {
      const { session, machine } = await this.#open(options.signal)
      if (session === undefined) return yield* carry(machine, this.#state, work)
      try {
        return yield* carry(machine, this.#state, { ...work, options: { ...options, showIn: session.id } })
      } catch (error) {
        if (isSecond || !isCmdopError(error) || error.code !== 'session_lost') throw sessionEnded(error)
        this.#lose()
      }
    }
  }

  /** The daemon ended under the session; nothing ran there since. The run goes on in another one, unless its changes were in it. */
  #lose(): void {
    if (this.restrictions?.dryRun === true) throw viewIsGone()
    this.#restored = this.carried ?? undefined
    this.#opening = this.#place = undefined
  }

  async #open(signal: AbortSignal | undefined): Promise<RunPlace> {
    this.#opening ??= openRunPlace(this.#machine, { ...this.#options, signal })
    let place: RunPlace
    try {
      place = this.#place = await this.#opening
      if (place.session?.folder) this.#state.keepIn(place.session.folder)
    } catch (error) {
      this.#opening = undefined
      throw error
    }
    const before = this.#restored
    this.#restored = undefined
    if (before?.hasVariables !== true || before.sessionId === (place.session?.id ?? null)) return place
    this.#state.forgetVariables()
    throw new CmdopError(
      'conflict',
      'Nothing was run. The session of this run had ended, and with it the variables that earlier commands exported are gone. Set again those you need, then repeat the command.',
    )
  }

  /** What another process has left, where this one has done nothing more. */
  async #left(signal: AbortSignal): Promise<Pick<RunPlace, 'session' | 'restrictions'>> {
    const sessionId = this.#restored?.sessionId ?? null
    const [restrictions] = this.#options.restrictions
    try {
      const session = sessionId === null ? undefined : await this.#machine.sessions?.get(sessionId, { signal })
      return { session, restrictions }
    } catch {
      // It ends by itself.
      return { session: undefined, restrictions }
    }
  }

  /** One bound for all of it. What does not even end when it is told to, like a command of a machine that is away, is left. */
  async #close(stopped: AbortSignal | undefined): Promise<readonly string[]> {
    const isRestricted = this.#options.restrictions.length > 0
    const late = AbortSignal.timeout(isRestricted ? EFFECTS_WITHIN_MS : CLEAR_WITHIN_MS)
    const signal = stopped === undefined ? late : AbortSignal.any([stopped, late])
    try {
      return await unlessAborted(this.#clear(signal), signal)
    } catch (error) {
      return isRestricted ? [unreadEffects(error)] : []
    }
  }

  async #clear(signal: AbortSignal): Promise<readonly string[]> {
    const { session, restrictions } = this.#place ?? (await this.#left(signal))
    if (this.#place === undefined && session === undefined) return []
    if (restrictions === undefined || session === undefined) {
      // What is in the folder of the session goes with it.
      const file = session === undefined || session.folder === null ? this.#state.file : undefined
      await Promise.all([removeFile(this.#machine, file, signal), closeRunSession(session, signal)])
      return []
    }
    // What is in the folder of the session goes with it.
    if (session.folder === null) await removeFile(this.#machine, this.#state.file, signal)
    await closeRunSession(session, signal)
    return this.effects.complete(this.#machine, session.id, signal)
  }
}

/** A workplace that is shown nowhere, and from which nothing carries over. */
export function bareWorkplace(machine: Machine): Workplace {
  return {
    sessionId: null,
    recordingId: null,
    carried: null,
    machine,
    restrictions: undefined,
    effects: new RunEffects(),
    stayAt: () => undefined,
    restore: () => undefined,
    open: async () => {},
    run: (command, { readOnly: _readOnly, startedAt: _startedAt, callId, ...options }) =>
      followed(machine.exec(command, { ...options, ...(callId === undefined ? {} : { callId }) })),
    pause: async () => [],
    close: async () => [],
    [Symbol.asyncDispose]: async () => {},
  }
}
/** One that is asked for later goes on for its whole time, should whoever started it be gone. */
function remembered(callId: string, deadlineMs: number | undefined): Pick<ExecOptions, 'callId' | 'orphanMs'> {
  return { callId, orphanMs: Math.min(Math.max(deadlineMs ?? 0, DEFAULT_ORPHAN_MS), MAX_ORPHAN_MS) }
}

interface Work {
  readonly command: string | readonly string[]
  readonly options: ExecOptions
  readonly readOnly: boolean | undefined
}

async function* carry(machine: Machine, carried: CarriedState, { command, options, readOnly }: Work): Running {
  const { directory } = carried
  const cwd = options.cwd ?? directory
  const where = cwd === undefined ? {} : { cwd }
  try {
    if (typeof command !== 'string') return yield* followed(machine.exec(command, { ...options, ...where }))
    const wrapped = carried.wrap(command, { own: options.env, readOnly })
    const execution = machine.exec(wrapped.command, { ...options, ...where, env: wrapped.env })
    return yield* followed(execution, carried.filter(options.cwd === undefined))
  } catch (error) {
    // A directory that is gone must not fail every command after this one.
    if (isCmdopError(error) && error.code === 'exec_failed' && cwd === directory) carried.forgetDirectory()
    throw error
  }
}

async function* followed(execution: Execution, filter?: MarkFilter): Running {
  try {
    for await (const { stream, data } of execution) {
      const shown = filter === undefined || stream === 'stdout' ? data : filter.push(data)
      if (shown.length > 0) yield { stream, data: shown }
    }
  } catch (error) {
    yield* held(filter)
    throw error
  }
  yield* held(filter)
  const exit = await execution.exit
  return { ...exit, stderrBytes: exit.stderrBytes - (filter?.removedBytes ?? 0) }
}

function* held(filter: MarkFilter | undefined) {
  const data = filter?.end() ?? new Uint8Array()
  if (data.length > 0) yield { stream: 'stderr' as const, data }
}

/** Who closes the session of a run stops it: without one nobody could see what it does. */
function sessionEnded(error: unknown): unknown {
  if (!isCmdopError(error) || (error.code !== 'not_found' && error.code !== 'session_ended')) return error
  return new CmdopError('session_ended', 'The session of this run was closed, so nothing more was run.', {
    cause: error,
  })
}

/** What was changed without being applied is in a view, which ends with its session. */
function viewIsGone(): CmdopError {
  return new CmdopError(
    'session_lost',
    'The session in which this run worked has ended, and with it the view that had its changes. Nothing of them was applied; start the run again.',
  )
}

async function removeFile(machine: Machine, file: string | undefined, signal: AbortSignal): Promise<void> {
  if (file === undefined) return
  try {
    const removal = machine.exec(['rm', '-f', file], { signal })
    for await (const _ of removal);
  } catch {
    // The run has its result either way; only the daemon's user can read the file.
  }
}
