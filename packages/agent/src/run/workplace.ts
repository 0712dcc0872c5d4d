import type {
  EffectSummary,
  ExecChunk,
  ExecExit,
  ExecOptions,
  Execution,
  Machine,
  Restrictions,
  Session,
  SessionOpenOptions,
} from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { CarriedState } from './carried-state.ts'
import type { MarkFilter } from './mark-filter.ts'
import { openRestrictedSession } from './restricted-session.ts'
import { RunEffects } from './run-effects.ts'

/** Milliseconds that clearing up after a run may take. */
const CLEAR_WITHIN_MS = 5000

/** Milliseconds that it may take to find out what a run under restrictions changed: a large effect is compared file by file. */
const EFFECTS_WITHIN_MS = 120_000

/** Milliseconds after which a session ends by itself whose run is gone. */
const SESSION_IDLE_MS = 86_400_000

/** Most characters of a prompt that say, in a list of sessions and in recordings, what a run is for. */
const REASON_CHARACTERS = 120

/** Where the commands of one run work: they are shown in a session of its own, and each goes on where the last one ended. */
export interface Workplace extends AsyncDisposable {
  /** null: no command has run yet, or the machine shows none. */
  readonly sessionId: string | null
  readonly recordingId: string | null
  /** The machine as the run has it: under restrictions, as its session does. */
  readonly machine: Machine
  /** What holds, once it is open; undefined: nothing does. */
  readonly restrictions: Restrictions | undefined
  /** What was changed under restrictions; complete once it is closed. */
  readonly effects: RunEffects
  /** Where there are restrictions, has them held from now on: to be called before anything else. Rejects with `restriction_unenforceable`. */
  open(signal: AbortSignal): Promise<void>
  /** Runs a command: its output as it comes, and how it ended. Leaving ends it. A `cwd` counts for this command only. */
  run(command: string | readonly string[], options: CommandOptions): Running
  /** Ends what is left of it. Resolves with what could not be found out of the effects. Never rejects. */
  close(): Promise<readonly string[]>
}

/** A command that runs. */
export type Running = AsyncGenerator<Pick<ExecChunk, 'stream' | 'data'>, ExecExit, void>

/** How a command runs at its workplace. */
export interface CommandOptions extends Pick<ExecOptions, 'cwd' | 'env' | 'signal' | 'deadlineMs'> {
  /** It may run beside others, and leaves nothing to the next one. */
  readonly readOnly?: boolean | undefined
}

/** What a workplace is for. */
export interface WorkplaceOptions {
  readonly prompt: string
  readonly runId: string
  /** All of them hold. */
  readonly restrictions?: readonly Restrictions[] | undefined
  readonly onEffect?: ((effect: EffectSummary) => void) | undefined
}

/** The workplace of a run that begins. The session is opened before the first command, under restrictions with `open`. */
export function createWorkplace(
  machine: Machine,
  { prompt, runId, restrictions = [], onEffect }: WorkplaceOptions,
): Workplace {
  const carried = new CarriedState()
  const effects = new RunEffects(onEffect)
  let opening: Promise<Opened> | undefined
  let opened: Opened | undefined
  const open = async (signal: AbortSignal | undefined) => {
    opening ??= openSession(machine, restrictions, { ...sessionOf(prompt, runId), signal })
    try {
      opened = await opening
      if (opened.session?.folder) carried.keepIn(opened.session.folder)
    } catch (error) {
      opening = undefined
      throw error
    }
    return opened
  }
  const end = async (): Promise<readonly string[]> => {
    const { session, restrictions: held } = opened ?? {}
    if (held === undefined || session === undefined) {
      await Promise.all([removeFile(machine, carried.file), closeSession(session, CLEAR_WITHIN_MS)])
      return []
    }
    // What is in the folder of the session goes with it.
    if (session.folder === null) await removeFile(machine, carried.file)
    await closeSession(session, EFFECTS_WITHIN_MS)
    return effectsOf(machine, session, effects)
  }
  let closing: Promise<readonly string[]> | undefined
  const close = () => (closing ??= end())
  return {
    get sessionId() {
      return opened?.session?.id ?? null
    },
    get recordingId() {
      return opened?.session?.recordingId ?? null
    },
    get machine() {
      return opened?.machine ?? machine
    },
    get restrictions() {
      return opened?.restrictions
    },
    effects,
    open: async (signal) => {
      if (restrictions.length > 0) await open(signal)
    },
    async *run(command, { readOnly, ...options }) {
      const { session, machine: place } = await open(options.signal)
      const shown = session === undefined ? options : { ...options, showIn: session.id }
      try {
        const exit = yield* carry(place, carried, { command, options: shown, readOnly })
        effects.add(exit.effect)
        return exit
      } catch (error) {
        effects.addOf(error)
        throw session === undefined ? error : sessionEnded(error)
      }
    },
    close,
    [Symbol.asyncDispose]: async () => void (await close()),
  }
}

/** A workplace that is shown nowhere, and from which nothing carries over. */
export function bareWorkplace(machine: Machine): Workplace {
  return {
    sessionId: null,
    recordingId: null,
    machine,
    restrictions: undefined,
    effects: new RunEffects(),
    open: async () => {},
    run: (command, options) => followed(machine.exec(command, options)),
    close: async () => [],
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

/** What a workplace works with. */
interface Opened {
  /** undefined where the machine has no sessions, or a daemon that knows none. */
  readonly session: Session | undefined
  readonly machine: Machine
  readonly restrictions: Restrictions | undefined
}

function sessionOf(prompt: string, runId: string): SessionOpenOptions {
  const reason = prompt.length <= REASON_CHARACTERS ? prompt : `${prompt.slice(0, REASON_CHARACTERS - 1)}…`
  return { kind: 'run', name: `run ${runId.slice(0, 8)}`, reason, idleTimeoutMs: SESSION_IDLE_MS }
}

async function openSession(
  machine: Machine,
  restrictions: readonly Restrictions[],
  options: SessionOpenOptions,
): Promise<Opened> {
  const held = await openRestrictedSession(machine, restrictions, options)
  if (held !== undefined) return held
  try {
    return { session: await machine.sessions?.open(options), machine, restrictions: undefined }
  } catch (error) {
    if (isCmdopError(error) && error.code === 'unsupported')
      return { session: undefined, machine, restrictions: undefined }
    throw error
  }
}

/** A session that somebody took over is theirs. */
async function closeSession(session: Session | undefined, withinMs: number): Promise<void> {
  const signal = AbortSignal.timeout(withinMs)
  try {
    if ((await session?.info({ signal }))?.shell === null) await session?.close({ signal })
  } catch {
    // The run has its result either way; the session ends by itself.
  }
}

async function effectsOf(machine: Machine, session: Session, effects: RunEffects): Promise<readonly string[]> {
  try {
    await effects.complete(machine, session.id, AbortSignal.timeout(EFFECTS_WITHIN_MS))
    return []
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [`What the run would change is kept by the machine, and could not be read: ${reason}`]
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
