import type { ExecChunk, ExecExit, ExecOptions, Execution, Machine, Session } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { CarriedState } from './carried-state.ts'
import type { MarkFilter } from './mark-filter.ts'

/** Milliseconds that clearing up after a run may take. */
const CLEAR_WITHIN_MS = 5000

/** Milliseconds after which a session ends by itself whose run is gone. */
const SESSION_IDLE_MS = 86_400_000

/** Most characters of a prompt that say, in a list of sessions and in recordings, what a run is for. */
const REASON_CHARACTERS = 120

/** Where the commands of one run work: they are shown in a session of its own, and each goes on where the last one ended. */
export interface Workplace extends AsyncDisposable {
  /** null: no command has run yet, or the machine shows none. */
  readonly sessionId: string | null
  readonly recordingId: string | null
  /** Runs a command: its output as it comes, and how it ended. Leaving ends it. A `cwd` counts for this command only. */
  run(command: string | readonly string[], options: CommandOptions): Running
}

/** A command that runs. */
export type Running = AsyncGenerator<Pick<ExecChunk, 'stream' | 'data'>, ExecExit, void>

/** How a command runs at its workplace. */
export interface CommandOptions extends Pick<ExecOptions, 'cwd' | 'env' | 'signal' | 'deadlineMs'> {
  /** It may run beside others, and leaves nothing to the next one. */
  readonly readOnly?: boolean | undefined
}

/** The workplace of a run that begins. The session is opened before the first command. */
export function createWorkplace(machine: Machine, { prompt, runId }: { prompt: string; runId: string }): Workplace {
  const carried = new CarriedState()
  let opening: Promise<Session | undefined> | undefined
  let session: Session | undefined
  const open = async (signal: AbortSignal | undefined) => {
    opening ??= openSession(machine, { prompt, runId, signal })
    try {
      session = await opening
      if (session?.folder) carried.keepIn(session.folder)
    } catch (error) {
      opening = undefined
      throw error
    }
  }
  return {
    get sessionId() {
      return session?.id ?? null
    },
    get recordingId() {
      return session?.recordingId ?? null
    },
    async *run(command, { readOnly, ...options }) {
      await open(options.signal)
      if (session === undefined) return yield* carry(machine, carried, { command, options, readOnly })
      try {
        return yield* carry(machine, carried, { command, options: { ...options, showIn: session.id }, readOnly })
      } catch (error) {
        throw sessionEnded(error)
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([removeFile(machine, carried.file), closeSession(session)])
    },
  }
}

/** A workplace that is shown nowhere, and from which nothing carries over. */
export function bareWorkplace(machine: Machine): Workplace {
  return {
    sessionId: null,
    recordingId: null,
    run: (command, options) => followed(machine.exec(command, options)),
    [Symbol.asyncDispose]: async () => {},
  }
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
  if (!isCmdopError(error) || error.code !== 'not_found') return error
  return new CmdopError('session_ended', 'The session of this run was closed, so nothing more was run.', {
    cause: error,
  })
}

/** undefined where the machine has no sessions, or a daemon that knows none. */
async function openSession(
  { sessions }: Machine,
  { prompt, runId, signal }: { prompt: string; runId: string; signal: AbortSignal | undefined },
): Promise<Session | undefined> {
  const reason = prompt.length <= REASON_CHARACTERS ? prompt : `${prompt.slice(0, REASON_CHARACTERS - 1)}…`
  try {
    const name = `run ${runId.slice(0, 8)}`
    return await sessions?.open({ kind: 'run', name, reason, idleTimeoutMs: SESSION_IDLE_MS, signal })
  } catch (error) {
    if (isCmdopError(error) && error.code === 'unsupported') return undefined
    throw error
  }
}

/** A session that somebody took over is theirs. */
async function closeSession(session: Session | undefined): Promise<void> {
  const signal = AbortSignal.timeout(CLEAR_WITHIN_MS)
  try {
    if ((await session?.info({ signal }))?.shell === null) await session?.close({ signal })
  } catch {
    // The run has its result either way; the session ends by itself.
  }
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
