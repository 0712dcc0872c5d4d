import { type Channel, CmdopError, isCmdopError, SessionEnd, sessionLanes } from '@cmdop/protocol'
import { parseAnswer } from '../answers.ts'
import type { Session } from './session.ts'
import type { SessionEvent } from './session-events.ts'
import { SnapshotReader } from './snapshot-reader.ts'

/** One connection's part of an attachment. */
export interface Line {
  /** Absent when the session ended while there was no connection: then only its rest is read. */
  readonly channel: Channel | undefined
  readonly events: AsyncIterator<SessionEvent, void, undefined>
}

/** Milliseconds the machine may take to confirm that a participant left. */
const LEAVE_WITHIN_MS = 2000

/** Bytes read at once of what a session put out before it ended. */
const REST_BYTES = 1024 * 1024

/** What comes over a channel whose output goes on at `offset`. Throws what the channel was reset with. */
export async function* readLine(channel: Channel, offset: number): AsyncGenerator<SessionEvent, void, undefined> {
  const snapshots = new SnapshotReader()
  let position = offset
  for await (const { lane, data } of channel) {
    if (lane === sessionLanes.output) {
      yield { type: 'output', data, offset: position }
      position += data.length
      continue
    }
    const snapshot = snapshots.take(data)
    if (snapshot === undefined) continue
    position = snapshot.offset
    yield { type: 'snapshot', ...snapshot }
  }
  const end = parseAnswer(SessionEnd, await channel.finished)
  await channel.end()
  yield { type: 'end', ...end }
}

/** What the session put out from `offset` on until it ended, as far as it is kept, and how it ended. */
export async function* readRest(
  session: Session,
  offset: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<SessionEvent, void, undefined> {
  // Without an offset nothing was seen: there is no screen to go on from.
  for (let position = offset; position !== undefined;) {
    const part = await session.read({ offset: position, length: REST_BYTES, signal }).catch(unlessForgotten)
    if (part === undefined || part.data.length === 0) break
    yield { type: 'output', data: part.data, offset: part.offset }
    position = part.offset + part.data.length
  }
  const { state, endReason, exitCode, signal: endSignal, outputBytes } = await session.info({ signal })
  yield { type: 'end', state, endReason, exitCode, signal: endSignal, outputBytes }
}

/** Whether the session is over, as the machine refuses to attach to it. */
export function isSessionOver(error: unknown): boolean {
  return isCmdopError(error) && (error.code === 'session_ended' || error.code === 'session_lost')
}

/** A machine keeps the output of a session that is over for a while only. */
function unlessForgotten(error: unknown): undefined {
  if (!isSessionOver(error)) throw error
}

/** Says that the participant leaves, and waits for the machine to have heard it: whoever is merely lost keeps its place. */
export async function leaveLine(channel: Channel): Promise<void> {
  const timer = setTimeout(() => channel.reset(leftError()), LEAVE_WITHIN_MS)
  try {
    await channel.end()
    for await (const _ of channel);
  } catch {
    // It is over either way.
  } finally {
    clearTimeout(timer)
  }
}

/** What a reader gets whose signal was aborted. */
export function leftError(): CmdopError {
  return new CmdopError('cancelled', 'The caller left the session; it goes on.')
}
