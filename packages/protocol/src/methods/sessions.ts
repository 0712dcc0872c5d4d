import { z } from 'zod'
import { DEFAULT_ORPHAN_MS, MAX_ORPHAN_MS } from './exec.ts'
import { AbsolutePath, EnvironmentChange, systemText } from './paths.ts'
import { ShownName } from '../names.ts'
import { Restrictions } from './restrictions.ts'
import { Lease, Reason, SessionId, SessionInfo, TerminalSize } from './session-info.ts'

/** Lanes of `session.attach` and `session.observe`. */
export const sessionLanes = { input: 1, output: 1, snapshot: 2 } as const

/** Bytes of a session's output that are kept in memory; older output is in a file. */
export const SCROLLBACK_MEMORY_BYTES = 1024 * 1024

/** Bytes of a session's output that are kept at all, in memory and file together. */
export const SCROLLBACK_BYTES = 64 * 1024 * 1024

/** Bytes of input that wait for a program that does not read; more is refused with `input_overflow`. */
export const MAX_WAITING_INPUT_BYTES = 256 * 1024

/** Milliseconds without input after which an operator's lease ends when another one waits for it. */
export const LEASE_IDLE_MS = 30_000

/** Bytes of a command of `session.execute` at most. */
export const MAX_EXECUTE_BYTES = 64 * 1024

/** What happens when a session can no longer be recorded. */
export const RecordingFailure = z.enum(['terminate', 'pause', 'continue'])
export type RecordingFailure = z.infer<typeof RecordingFailure>

/** Parameters of `session.open`. The answer is a {@link SessionInfo}; the same call id again gives the same session. */
export const SessionOpenParams = z.strictObject({
  name: ShownName.optional(),
  kind: z.enum(['terminal', 'run']).default('terminal'),
  /** A name (`bash`, `zsh`, `sh`, `fish`) or a path. Default: the login shell of the daemon's user. */
  shell: systemText.min(1).max(4096).optional(),
  cwd: AbsolutePath.optional(),
  env: EnvironmentChange.optional(),
  size: TerminalSize.default({ columns: 80, rows: 24 }),
  /** Ends the session after so long without input and without output. Default: never. */
  idleTimeoutMs: z.number().int().min(1000).max(2_147_483_647).optional(),
  onRecordingFailure: RecordingFailure.default('continue'),
  reason: Reason.optional(),
  /**
   * What nothing in it may do, fixed from now on. A `terminal` with `dryRun` or `noDelete` keeps its changes in a view until they are
   * applied; in a `run` with `noDelete` every command is a transaction of its own.
   */
  restrictions: Restrictions.optional(),
})
export type SessionOpenParams = z.infer<typeof SessionOpenParams>

/** Parameters of `session.list`. The answer is a {@link SessionList}. */
export const SessionListParams = z.strictObject({
  /** Also sessions that have ended, as long as the machine knows them. */
  ended: z.boolean().default(false),
})
export const SessionList = z.object({ items: z.array(SessionInfo) })
export type SessionList = z.infer<typeof SessionList>

/** Parameters of `session.get`. The answer is a {@link SessionInfo}. */
export const SessionGetParams = z.strictObject({ sessionId: SessionId })

/** Parameters of `session.close`: ends the shell with SIGHUP, then SIGKILL. The answer is the last {@link SessionInfo}. */
export const SessionCloseParams = z.strictObject({ sessionId: SessionId })

/** Parameters of `session.read`: output that is kept, from an offset. Bytes on lane 1, then {@link SessionReadEnd}. */
export const SessionReadParams = z.strictObject({
  sessionId: SessionId,
  offset: z.number().int().min(0),
  /** Bytes at most. */
  length: z.number().int().min(0).max(SCROLLBACK_BYTES).default(SCROLLBACK_BYTES),
})
export type SessionReadParams = z.infer<typeof SessionReadParams>

export const SessionReadEnd = z.object({
  /** Where the first byte of the answer is; later than asked where older output is not kept any more. */
  offset: z.number().int(),
  outputBytes: z.number().int(),
})
export type SessionReadEnd = z.infer<typeof SessionReadEnd>

/**
 * Parameters of `session.attach` (an operator, who may type) and `session.observe` (who may not). The machine answers with
 * {@link SessionAttached}, sends a snapshot of the screen unless `offset` is given and kept, then output from exactly
 * there, and ends with {@link SessionEnd}. Attaching again with the same call id goes on as the same participant.
 */
export const SessionAttachParams = z.strictObject({
  sessionId: SessionId,
  /** Bytes of output that the client has; without it the screen is painted first. */
  offset: z.number().int().min(0).optional(),
  /** Size of the operator's terminal; the session follows the holder of the lease. */
  size: TerminalSize.optional(),
  /** `auto` takes the lease where nobody has it, `take` also from another operator whom one may take it from. */
  lease: z.enum(['auto', 'take', 'none']).default('auto'),
  /** Milliseconds a lost operator keeps its place and its lease. */
  orphanMs: z.number().int().min(0).max(MAX_ORPHAN_MS).default(DEFAULT_ORPHAN_MS),
})
export type SessionAttachParams = z.infer<typeof SessionAttachParams>

export const SessionObserveParams = SessionAttachParams.pick({ sessionId: true, offset: true })
export type SessionObserveParams = z.infer<typeof SessionObserveParams>

/** Control from the machine: first on every attached channel. */
export const SessionAttached = z.object({
  type: z.literal('attached'),
  participantId: z.string(),
  mode: z.enum(['operator', 'observer']),
  /**
   * Whether the machine knew this participant: `inputOffset` goes on where it was. Where it is false, a client that comes
   * back cannot tell which of its input arrived, and must not send it again.
   */
  resumed: z.boolean().default(false),
  /** Where output goes on after the snapshot, if there is one. */
  offset: z.number().int().min(0),
  /** Bytes of input of this participant that have arrived; the client goes on from here. */
  inputOffset: z.number().int().min(0),
  size: TerminalSize,
  lease: Lease.nullable(),
})
export type SessionAttached = z.infer<typeof SessionAttached>

/** Control from the machine: somebody else may type now, or nobody. `waiting`: who asked for it. */
export const SessionLease = z.object({
  type: z.literal('lease'),
  lease: Lease.nullable(),
  waiting: z.array(z.object({ participantId: z.string(), name: z.string() })).max(4),
})
export type SessionLease = z.infer<typeof SessionLease>

/** Control from the machine: the terminal has another size now. */
export const SessionResized = z.object({ type: z.literal('resized'), size: TerminalSize })
export type SessionResized = z.infer<typeof SessionResized>

/** Control from the machine: input was not taken; `code` is an error code. The channel stays. */
export const SessionInputRefused = z.object({
  type: z.literal('input-refused'),
  code: z.string(),
  message: z.string(),
  /** Bytes of input of this participant that were not taken. */
  bytes: z.number().int(),
})
export type SessionInputRefused = z.infer<typeof SessionInputRefused>

/** What the machine says on an attached channel. */
export const SessionNotice = z.discriminatedUnion('type', [
  SessionAttached,
  SessionLease,
  SessionResized,
  SessionInputRefused,
])
export type SessionNotice = z.infer<typeof SessionNotice>

/** What an operator says beside its input. */
export const SessionRequest = z.discriminatedUnion('type', [
  /** The operator's terminal has another size; it counts while it holds the lease. */
  z.object({ type: z.literal('resize'), size: TerminalSize }),
  /** Asks the holder; given at once where nobody has it, or the holder is idle. */
  z.object({ type: z.literal('lease-request') }),
  /** A person takes it from an AI, at once. From a person: `conflict`, unless it is one's own. */
  z.object({ type: z.literal('lease-take') }),
  /** The holder gives it to another operator. */
  z.object({ type: z.literal('lease-grant'), participantId: z.string() }),
  z.object({ type: z.literal('lease-release') }),
])
export type SessionRequest = z.infer<typeof SessionRequest>

/**
 * Begins each snapshot on its lane: 8 bytes offset where output goes on, 4 bytes length of what follows, 2 bytes columns,
 * 2 bytes rows, all unsigned and big-endian. What follows paints the screen from a reset terminal.
 */
export const SNAPSHOT_HEADER_BYTES = 16

/** Trailer of an attached channel: the session is over. A client that leaves ends the channel from its side. */
export const SessionEnd = z.object({
  state: SessionInfo.shape.state,
  endReason: SessionInfo.shape.endReason,
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  outputBytes: z.number().int(),
})
export type SessionEnd = z.infer<typeof SessionEnd>

/**
 * Parameters of `session.execute`: runs a command in the session's own shell. The machine sends {@link SessionExecuting},
 * its output on lane 1 as the terminal saw it, and ends with {@link SessionExecuteEnd}.
 */
export const SessionExecuteParams = z.strictObject({
  sessionId: SessionId,
  command: systemText.min(1).max(MAX_EXECUTE_BYTES),
  /** While another command or another operator has the shell: `wait` for it, or fail with `conflict`. */
  whenBusy: z.enum(['wait', 'conflict']).default('wait'),
})
export type SessionExecuteParams = z.infer<typeof SessionExecuteParams>

/** Control from the machine: the shell has the command. */
export const SessionExecuting = z.object({ type: z.literal('executing'), offset: z.number().int() })
export type SessionExecuting = z.infer<typeof SessionExecuting>

/** Control from the client: interrupt the command. */
export const SessionExecuteCancel = z.object({ type: z.literal('cancel') })

/** Trailer of `session.execute`. */
export const SessionExecuteEnd = z.object({
  /** `exited`: the command ended; `deadline`, `cancelled`: it was interrupted; `session-ended`: the shell ended under it. */
  reason: z.enum(['exited', 'deadline', 'cancelled', 'session-ended']),
  /** Null when the command was interrupted and the shell does not say. */
  exitCode: z.number().int().nullable(),
  /** Directory of the shell afterwards; null when it is not known. */
  cwd: z.string().nullable(),
  outputBytes: z.number().int(),
  durationMs: z.number().min(0),
})
export type SessionExecuteEnd = z.infer<typeof SessionExecuteEnd>
