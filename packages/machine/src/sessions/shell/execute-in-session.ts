import {
  type Channel,
  CmdopError,
  isCmdopError,
  type Participant,
  SessionExecuteCancel,
  type SessionExecuteEnd,
  type SessionExecuteParams,
  type SessionExecuting,
  sessionLanes,
} from '@cmdop/protocol'
import { endedError, type Session } from '../session.ts'
import type { ShellDriver } from './shell-driver.ts'
import type { Execution, ExecutionEnd } from './turn.ts'

export interface ExecuteRequest {
  readonly session: Session
  readonly params: SessionExecuteParams
  readonly who: Participant
}

/** When the caller wants the command to end: it cancels, or its time is over. */
interface CallEnd {
  readonly cancelled: AbortSignal
  /** Of `performance.now()`. */
  readonly deadline: number | undefined
}

/**
 * Serves `session.execute`: waits for the lease and for the shell, runs the command, and sends its output at the pace of the
 * caller, which slows nothing else. A caller whose connection is lost leaves the command running.
 */
export async function executeInSession(channel: Channel, request: ExecuteRequest): Promise<void> {
  const { session, who } = request
  const driver = driverOf(session)
  if (session.participants.has(who.participantId))
    throw new CmdopError('conflict', 'This call id is that of a participant of the session; use a new one.')
  const end = watchEnd(channel)
  const { lease } = session.participants
  channel.accept()
  let ended: Promise<unknown> | undefined
  try {
    await takeLease(request, end)
    const { whenBusy, command } = request.params
    const execution = await driver.execute(command, {
      whenBusy,
      principalId: who.principalId,
      signal: end.cancelled,
      ...timeLeft(end),
    })
    ended = Promise.race([execution.ended, session.ended])
    // Another command of the same principal may have had it until now.
    lease.takeFree(who)
    session.executed(who)
    await channel.control({ type: 'executing', offset: execution.offset } satisfies SessionExecuting)
    await sendOutput(channel, session, execution)
  } finally {
    // A command that nobody reads any more keeps it to its end.
    void Promise.resolve(ended).then(() => lease.release(who))
  }
}

function driverOf(session: Session): ShellDriver {
  const { kind, state, endReason, shell } = session.info
  if (state !== 'running') throw endedError(endReason ?? 'exited')
  if (session.driver !== undefined) return session.driver
  if (kind === 'run')
    throw new CmdopError('conflict', 'This session shows what an AI operator does; only a person takes it over.')
  throw new CmdopError(
    'unsupported',
    `Expected a shell that is bash, zsh, sh or fish, got ${shell}; open such a session.`,
  )
}

function watchEnd(channel: Channel): CallEnd {
  const stop = new AbortController()
  channel.onControl = (message) => {
    if (SessionExecuteCancel.safeParse(message).success) stop.abort()
  }
  channel.over.catch((error: unknown) => {
    // Only who gives up interrupts the command.
    if (isCmdopError(error) && (error.code === 'cancelled' || error.code === 'timeout')) stop.abort()
  })
  const { deadlineMs } = channel.open
  return { cancelled: stop.signal, deadline: deadlineMs === undefined ? undefined : performance.now() + deadlineMs }
}

function timeLeft({ deadline }: CallEnd): { timeoutMs?: number } {
  return deadline === undefined ? {} : { timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())) }
}

/**
 * A command needs the lease, or that its own principal has it; a person takes it from whoever is none. Everybody else waits
 * in line, or gets `conflict`.
 */
async function takeLease({ session, params, who }: ExecuteRequest, end: CallEnd): Promise<void> {
  const { lease } = session.participants
  const mayType = () => lease.takeFree(who) || lease.holder?.principalId === who.principalId
  if (mayType()) return
  if (who.principalKind === 'human' && lease.holder?.principalKind !== 'human') return lease.take(who)
  if (params.whenBusy === 'conflict')
    throw new CmdopError('conflict', `${lease.holder?.name ?? 'Somebody'} is typing in this session; try again later.`)
  lease.request(who)
  const { timeoutMs } = timeLeft(end)
  const given =
    timeoutMs === undefined ? end.cancelled : AbortSignal.any([end.cancelled, AbortSignal.timeout(timeoutMs)])
  const stopped = new Promise<void>((resolve) => given.addEventListener('abort', () => resolve(), { once: true }))
  while (!mayType()) {
    if (end.cancelled.aborted) throw new CmdopError('cancelled', 'Cancelled while another operator was typing.')
    if (given.aborted) throw new CmdopError('timeout', 'Another operator was typing until the deadline; nothing ran.')
    if (!session.isRunning) throw endedError(session.info.endReason ?? 'exited')
    await Promise.race([lease.changed, stopped, session.ended])
  }
}

/** The output of the command, from what the session keeps, as it comes; then how it ended. */
async function sendOutput(channel: Channel, session: Session, execution: Execution): Promise<void> {
  const { output } = session
  const { scrollback } = output
  let at = execution.offset
  while (at < (execution.endOffset ?? Number.POSITIVE_INFINITY)) {
    const data = scrollback.at(at) ?? (await scrollback.read(at))
    if (data !== undefined) {
      // What the session shows after the command may be in the same piece.
      const piece = data.subarray(0, (execution.endOffset ?? Number.POSITIVE_INFINITY) - at)
      at += piece.length
      await channel.send(sessionLanes.output, piece)
    } else if (at < scrollback.end) throw new CmdopError('slow_peer', 'What comes next is not kept any more.')
    else if (session.isRunning) await Promise.race([output.changed, execution.ended, session.ended])
    else break
  }
  await channel.end(await describeEnd(session, execution))
}

async function describeEnd(session: Session, { offset, ended }: Execution): Promise<SessionExecuteEnd> {
  const { reason, exitCode, directory, endOffset, durationMs } = await Promise.race([ended, endOfSession(session)])
  return { reason, exitCode, cwd: directory?.toString() ?? null, outputBytes: endOffset - offset, durationMs }
}

/** A shell that the system does not let go of never says its end. */
async function endOfSession(session: Session): Promise<ExecutionEnd> {
  const { exitCode } = await session.ended
  const endOffset = session.output.scrollback.end
  return { reason: 'session-ended', exitCode, directory: null, endOffset, durationMs: 0 }
}
