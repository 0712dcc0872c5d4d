import type { Machine, Session } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { sessionIdOf } from './call-id.ts'

/** Milliseconds after which a session ends by itself whose run is gone. */
const SESSION_IDLE_MS = 86_400_000

/** Most characters of a prompt that say, in a list of sessions and in recordings, what a run is for. */
const REASON_CHARACTERS = 120

/** Sessions that one run may have had, one after another: each ended before the run did. */
const MAX_SESSIONS_OF_RUN = 100

/** What a session is for. */
export interface SessionPurpose {
  readonly prompt: string
  readonly runId: string
}

/**
 * The session in which a run's commands are shown; of a run that goes on the one it has, if that still runs. undefined where the
 * machine has no sessions, or a daemon that knows none.
 */
export async function openRunSession(
  { sessions }: Machine,
  { prompt, runId, signal }: SessionPurpose & { signal: AbortSignal | undefined },
): Promise<Session | undefined> {
  const options = {
    kind: 'run' as const,
    name: `run ${runId.slice(0, 8)}`,
    reason: shortened(prompt),
    idleTimeoutMs: SESSION_IDLE_MS,
    signal,
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      const session = await sessions?.open({ ...options, sessionId: sessionIdOf(runId, attempt) })
      if (session === undefined || !(await isOver(session, signal))) return session
    } catch (error) {
      if (isCmdopError(error) && error.code === 'unsupported') return undefined
      if (!isCmdopError(error) || error.code !== 'conflict' || attempt === MAX_SESSIONS_OF_RUN) throw error
    }
  }
}

/** One that ended a moment ago is given as it is. Its folder is gone with it. */
async function isOver(session: Session, signal: AbortSignal | undefined): Promise<boolean> {
  return session.folder === null && (await session.info({ signal })).state !== 'running'
}

/** Ends the session of a run. One that somebody took over is theirs. */
export async function closeRunSession(session: Session | undefined, withinMs: number): Promise<void> {
  const signal = AbortSignal.timeout(withinMs)
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
