import type { Machine, MachineSessions, Restrictions, Session, SessionOpenOptions } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { sessionIdOf } from './call-id.ts'
import { openRestrictedSession } from './restricted-session.ts'

/** Milliseconds after which a session ends by itself whose run is gone. */
const SESSION_IDLE_MS = 86_400_000

/** Most characters of a prompt that say, in a list of sessions and in recordings, what a run is for. */
const REASON_CHARACTERS = 120

/** Sessions that one run may have had, one after another: each ended before the run did. */
const MAX_SESSIONS_OF_RUN = 100

/** What the session of a run is opened with. */
export interface RunPlaceOptions {
  readonly prompt: string
  readonly runId: string
  /** All of them hold in it. */
  readonly restrictions: readonly Restrictions[]
}

/** What a run works with. */
export interface RunPlace {
  /** undefined where the machine has no sessions, or a daemon that knows none. */
  readonly session: Session | undefined
  /** As the session has it. */
  readonly machine: Machine
  /** What holds in the session; undefined: nothing does. */
  readonly restrictions: Restrictions | undefined
}

/**
 * The session in which a run's commands are shown; of a run that goes on the one it has, if that still runs and the same holds
 * in it. Rejects with `restriction_unenforceable` where the machine cannot hold the restrictions; nothing ran then.
 */
export async function openRunPlace(
  machine: Machine,
  { prompt, runId, restrictions, signal }: RunPlaceOptions & { readonly signal?: AbortSignal | undefined },
): Promise<RunPlace> {
  const name = `run ${runId.slice(0, 8)}`
  const shared = { kind: 'run' as const, name, reason: shortened(prompt), idleTimeoutMs: SESSION_IDLE_MS, signal }
  const held = await openRestrictedSession(machine, restrictions, {
    signal,
    open: (sessions, common) => openSession(sessions, runId, { ...shared, restrictions: common }),
  })
  if (held !== undefined) return held
  const { sessions } = machine
  const open = { machine, restrictions: undefined }
  try {
    return { ...open, session: sessions && (await openSession(sessions, runId, shared)) }
  } catch (error) {
    if (isCmdopError(error) && error.code === 'unsupported') return { ...open, session: undefined }
    throw error
  }
}

async function openSession(sessions: MachineSessions, runId: string, options: SessionOpenOptions): Promise<Session> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const session = await sessions.open({ ...options, sessionId: sessionIdOf(runId, attempt) })
      if (!(await isOver(session, options.signal))) return session
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'conflict' || attempt === MAX_SESSIONS_OF_RUN) throw error
    }
  }
}

/** One that ended a moment ago is given as it is. Its folder is gone with it. */
async function isOver(session: Session, signal: AbortSignal | undefined): Promise<boolean> {
  return session.folder === null && (await session.info({ signal })).state !== 'running'
}

/** Ends the session of a run. One that somebody took over is theirs. */
export async function closeRunSession(session: Session | undefined, signal: AbortSignal): Promise<void> {
  try {
    if ((await session?.info({ signal }))?.shell === null) await session?.close({ signal })
  } catch {
    // The run has its result either way; the session ends by itself.
  }
}

/** A prompt, as it names a run. */
export function shortened(prompt: string): string {
  return prompt.length <= REASON_CHARACTERS ? prompt : `${prompt.slice(0, REASON_CHARACTERS - 1)}…`
}
