import { type ExecOptions, type ExecResult, ExecError, type Machine, type Session } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { CarriedState } from './carried-state.ts'

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
  /** Runs a command to its end, as `exec` does. A `cwd` counts for this command only. */
  run(command: string | readonly string[], options: ExecOptions & { maxOutputBytes: number }): Promise<ExecResult>
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
    run: async (command, options) => {
      await open(options.signal)
      if (session === undefined) return carry(machine, carried, { command, options })
      return carry(machine, carried, { command, options: { ...options, showIn: session.id } }).catch(toSessionEnded)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([removeFile(machine, carried.file), closeSession(session)])
    },
  }
}

interface Work {
  readonly command: string | readonly string[]
  readonly options: ExecOptions & { maxOutputBytes: number }
}

async function carry(machine: Machine, carried: CarriedState, work: Work): Promise<ExecResult> {
  const { directory } = carried
  const cwd = work.options.cwd ?? directory
  const options = cwd === undefined ? work.options : { ...work.options, cwd }
  try {
    return await (typeof work.command === 'string'
      ? runString(machine, carried, { command: work.command, options, carries: work.options.cwd === undefined })
      : machine.exec(work.command, options))
  } catch (error) {
    // A directory that is gone must not fail every command after this one.
    if (isCmdopError(error) && error.code === 'exec_failed' && cwd === directory) carried.forgetDirectory()
    throw error
  }
}

async function runString(
  machine: Machine,
  carried: CarriedState,
  { command, options, carries }: Work & { command: string; carries: boolean },
): Promise<ExecResult> {
  const wrapped = carried.wrap(command)
  const maxOutputBytes = options.maxOutputBytes + carried.extraBytes
  try {
    return carried.take(await machine.exec(wrapped.command, { ...options, env: wrapped.env, maxOutputBytes }), carries)
  } catch (error) {
    if (!(error instanceof ExecError) || error.result === undefined) throw error
    const { code, message, details } = error
    throw new ExecError(code, message, { details, cause: error, result: carried.take(error.result, carries) })
  }
}

/** Who closes the session of a run stops it: without one nobody could see what it does. */
function toSessionEnded(error: unknown): never {
  if (!isCmdopError(error) || error.code !== 'not_found') throw error
  throw new CmdopError('session_ended', 'The session of this run was closed, so nothing more was run.', {
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
    await machine.exec(['rm', '-f', file], { signal: AbortSignal.timeout(CLEAR_WITHIN_MS) })
  } catch {
    // The run has its result either way; only the daemon's user can read the file.
  }
}
