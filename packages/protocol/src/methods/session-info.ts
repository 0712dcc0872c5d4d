import { z } from 'zod'
import { Restrictions } from './restrictions.ts'

/** Columns and rows of a terminal at most. */
export const MAX_COLUMNS = 1000
export const MAX_ROWS = 1000

/** Id of a session: the call id of the `session.open` that made it. */
export const SessionId = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/)

/** Size of a terminal in character cells. */
export const TerminalSize = z.object({
  columns: z.number().int().min(1).max(MAX_COLUMNS),
  rows: z.number().int().min(1).max(MAX_ROWS),
})
export type TerminalSize = z.infer<typeof TerminalSize>

/** Who takes part in a session, as the relay's permit named it. */
export const Participant = z.object({
  /** The call id of its attach. */
  participantId: z.string(),
  principalId: z.string(),
  principalKind: z.enum(['human', 'ai', 'service', 'schedule', 'machine', 'system']),
  name: z.string(),
})
export type Participant = z.infer<typeof Participant>

/** The one operator that may type now. It ends when its holder releases it, leaves, or is idle for `idleMs`. */
export const Lease = Participant.extend({ since: z.iso.datetime() })
export type Lease = z.infer<typeof Lease>

/**
 * `running`; `ended` by itself or because it was closed; `lost` because the daemon ended under it. Only a running session
 * can be attached to; the recordings of the others stay.
 */
export const SessionState = z.enum(['running', 'ended', 'lost'])
export type SessionState = z.infer<typeof SessionState>

/** A session as its machine describes it. */
export const SessionInfo = z.object({
  sessionId: SessionId,
  name: z.string(),
  /** `terminal`: a shell in a pseudo-terminal. `run`: what an AI operator does, until somebody takes over with a shell. */
  kind: z.enum(['terminal', 'run']),
  state: SessionState,
  /** Path of the shell; null before a `run` was taken over. */
  shell: z.string().nullable(),
  pid: z.number().int().nullable(),
  /** Directory of the shell as it last said, or the one it began in. */
  cwd: z.string(),
  size: TerminalSize,
  createdBy: Participant.omit({ participantId: true }),
  createdAt: z.iso.datetime(),
  /** Of the last input or output. */
  lastActiveAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  /** Why it is no longer running: `exited`, `closed`, `idle`, `recording` (its recording failed), `lost`. */
  endReason: z.enum(['exited', 'closed', 'idle', 'recording', 'lost']).nullable(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  lease: Lease.nullable(),
  operators: z.number().int(),
  observers: z.number().int(),
  /** Bytes of output so far, and the first one that is still kept. */
  outputBytes: z.number().int(),
  firstKeptOffset: z.number().int(),
  recordingId: z.string().nullable(),
  /** Absolute path of a folder for what belongs to a running session of kind `run`; it goes with the session. */
  folder: z.string().nullable().default(null),
  /** What nothing in it may do; null = no restriction. */
  restrictions: Restrictions.nullable().default(null),
})
export type SessionInfo = z.infer<typeof SessionInfo>

/** Why somebody does something, for the recording and the log. */
export const Reason = z.string().max(500)
