import type { ExecChunk, ExecExit, ExecOptions, Execution, Machine, Session } from '@cmdop/core'
import { CmdopError, DEFAULT_ORPHAN_MS, isCmdopError, MAX_ORPHAN_MS } from '@cmdop/protocol'
import { type Carried, CarriedState } from './carried-state.ts'
import type { MarkFilter } from './mark-filter.ts'
import { recover } from './recover.ts'
import { closeRunSession, openRunSession, type SessionPurpose } from './run-session.ts'

/** Milliseconds that clearing up after a run may take. */
const CLEAR_WITHIN_MS = 5000

/** Where the commands of one run work: they are shown in a session of its own, and each goes on where the last one ended. */
export interface Workplace extends AsyncDisposable {
  /** null: no command has run yet, or the machine shows none. */
  readonly sessionId: string | null
  readonly recordingId: string | null
  /** What carries over to the next command; null: nothing has yet. */
  readonly carried: Carried | null
  /** Goes on where another process has left it. */
  restore(carried: Carried): void
  /** Runs a command: its output as it comes, and how it ended. Leaving ends it. A `cwd` counts for this command only. */
  run(command: string | readonly string[], options: CommandOptions): Running
}

/** A command that runs. */
export type Running = AsyncGenerator<CommandOutput, ExecExit, void>

/** A piece of its output. */
export interface CommandOutput extends Pick<ExecChunk, 'stream' | 'data'> {
  /** Bytes before it that nobody kept. */
  readonly skipped?: number
}

/** How a command runs at its workplace. */
export interface CommandOptions extends Pick<ExecOptions, 'cwd' | 'env' | 'signal' | 'deadlineMs'> {
  /** It may run beside others, and leaves nothing to the next one. */
  readonly readOnly?: boolean | undefined
  /** Under which the machine remembers how it ended. */
  readonly callId?: string | undefined
  /** It may have been run, then: the machine is asked for it first. */
  readonly startedAt?: string | undefined
}

/** Of which run it is. */
export interface WorkplaceOrigin extends SessionPurpose {
  /** What keeps output from saying where the next command begins. */
  readonly carryNonce?: string | undefined
}

/** The workplace of a run. Its session is opened before the first command. */
export function createWorkplace(machine: Machine, origin: WorkplaceOrigin): Workplace {
  return new RunWorkplace(machine, origin)
}

class RunWorkplace implements Workplace {
  readonly #machine: Machine
  readonly #origin: WorkplaceOrigin
  readonly #state: CarriedState
  #opening: Promise<Session | undefined> | undefined
  #session: Session | undefined
  #restored: Carried | undefined

  constructor(machine: Machine, origin: WorkplaceOrigin) {
    this.#machine = machine
    this.#origin = origin
    this.#state = new CarriedState(origin.carryNonce)
  }

  get sessionId() {
    return this.#session?.id ?? this.#restored?.sessionId ?? null
  }

  get recordingId() {
    return this.#session?.recordingId ?? null
  }

  get carried(): Carried | null {
    const { directory = null, hasVariables } = this.#state
    const { sessionId } = this
    return directory === null && !hasVariables && sessionId === null ? null : { directory, hasVariables, sessionId }
  }

  restore(carried: Carried): void {
    this.#restored = carried
    this.#state.restore(carried)
  }

  run(command: string | readonly string[], { startedAt, ...options }: CommandOptions): Running {
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
      await this.#open(options.signal)
      const session = this.#session
      if (session === undefined) return yield* carry(this.#machine, this.#state, work)
      try {
        return yield* carry(this.#machine, this.#state, { ...work, options: { ...options, showIn: session.id } })
      } catch (error) {
        if (isSecond || !isCmdopError(error) || error.code !== 'session_lost') throw sessionEnded(error)
        this.#lose()
      }
    }
  }

  /** The daemon ended under the session; nothing ran there since. The run goes on in another one. */
  #lose(): void {
    this.#restored = this.carried ?? undefined
    this.#opening = this.#session = undefined
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#opening ??= openRunSession(this.#machine, { ...this.#origin, signal })
    try {
      this.#session = await this.#opening
      if (this.#session?.folder) this.#state.keepIn(this.#session.folder)
    } catch (error) {
      this.#opening = undefined
      throw error
    }
    const before = this.#restored
    this.#restored = undefined
    if (before?.hasVariables !== true || before.sessionId === (this.#session?.id ?? null)) return
    this.#state.forgetVariables()
    throw new CmdopError(
      'conflict',
      'Nothing was run. The session of this run had ended, and with it the variables that earlier commands exported are gone. Set again those you need, then repeat the command.',
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([removeFile(this.#machine, this.#state.file), closeRunSession(this.#session, CLEAR_WITHIN_MS)])
  }
}

/** A workplace that is shown nowhere, and from which nothing carries over. */
export function bareWorkplace(machine: Machine): Workplace {
  return {
    sessionId: null,
    recordingId: null,
    carried: null,
    restore: () => undefined,
    run: (command, { readOnly: _readOnly, startedAt: _startedAt, callId, ...options }) =>
      followed(machine.exec(command, { ...options, ...(callId === undefined ? {} : { callId }) })),
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

async function removeFile(machine: Machine, file: string | undefined): Promise<void> {
  if (file === undefined) return
  try {
    const removal = machine.exec(['rm', '-f', file], { signal: AbortSignal.timeout(CLEAR_WITHIN_MS) })
    for await (const _ of removal);
  } catch {
    // The run has its result either way; only the daemon's user can read the file.
  }
}
