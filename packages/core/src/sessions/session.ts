import type {
  EffectDetails,
  EffectInfo,
  Lease,
  RecordingFailure,
  RestrictionsInput,
  SessionEnd,
  SessionInfo,
  SessionList,
  TerminalSize,
} from '@cmdop/protocol'
import type { MachineFiles } from '../files/machine-files.ts'
import type { ExecuteOptions, SessionCommand } from './execute.ts'
import type { Attachment } from './session-events.ts'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** `machine.sessions`: terminals on a machine that outlive their clients. `Files` is what the platform's client has for files. */
export interface MachineSessions<Files extends MachineFiles = MachineFiles> {
  /** Starts a shell in a terminal. It goes on until it exits, is closed, or is idle for as long as you say. */
  open(options?: SessionOpenOptions): Promise<Session<Files>>
  /** A handle of one session. Throws `not_found`. */
  get(sessionId: string, options?: Cancellable): Promise<Session<Files>>
  /** The sessions of the machine, with `ended` also those that are over, as long as the machine knows them. */
  list(options?: Cancellable & { ended?: boolean }): Promise<readonly SessionInfo[]>
  /** Each of them. */
  iter(options?: Cancellable & { ended?: boolean }): AsyncGenerator<SessionInfo>
  /** Every page: all are on one. */
  pages(options?: Cancellable & { ended?: boolean }): AsyncGenerator<SessionList>
}

/** How a session begins. */
export interface SessionOpenOptions extends Cancellable {
  /** Shown to people; need not be unique. */
  name?: string | undefined
  /** `run` shows what an AI operator executes, and has a shell only once somebody takes over. Default `terminal`. */
  kind?: SessionInfo['kind'] | undefined
  /** A name (`bash`, `zsh`, `sh`, `fish`) or a path. Default: the login shell of the daemon's user. */
  shell?: string | undefined
  /** Absolute directory. Default: the home directory of the daemon's user. */
  cwd?: string | undefined
  /** Set on top of the daemon's environment; null removes a variable. */
  env?: Record<string, string | null> | undefined
  /** Default 80 x 24. */
  size?: TerminalSize | undefined
  /** Milliseconds without input and output after which the session ends. Default: never. */
  idleTimeoutMs?: number | undefined
  /** What happens when the session can no longer be recorded. Default `continue`. */
  onRecordingFailure?: RecordingFailure | undefined
  /** Why, for the recording and the log. */
  reason?: string | undefined
  /** Id of the session, 8 to 64 letters, digits, `_` and `-`; one that runs is given as it is. Default: a new one. */
  sessionId?: string | undefined
  /**
   * What nothing in it may do, fixed from now on; the machine's kernel holds it. With `dryRun` or `noDelete` a `terminal` keeps its
   * changes in a view until they are applied; in a `run` with `noDelete` each command is a transaction of its own.
   */
  restrictions?: RestrictionsInput | undefined
}

/** A session on a machine. The handle holds nothing open; an {@link Attachment} does. */
export interface Session<Files extends MachineFiles = MachineFiles> {
  readonly id: string
  readonly machineId: string
  readonly name: string
  /** null: it is not recorded. */
  readonly recordingId: string | null
  /** Of one of kind `run`: a folder on the machine for what belongs to it. The machine removes it with the session. */
  readonly folder: string | null
  /**
   * The files of the machine as the session sees them, under its restrictions: with a view, those of its view. Where each of its
   * commands is a transaction of its own, so is each call here.
   */
  readonly files: Files
  /** What the machine says of it now. */
  info(options?: Cancellable): Promise<SessionInfo>
  /** Takes part as an operator, who may type, or as an observer, who may not. */
  attach(options?: AttachOptions): Promise<Attachment>
  /** The same as `attach({ mode: 'observer' })`. */
  observe(options?: ObserveOptions): Promise<Attachment>
  /**
   * Runs a command in the session's own shell: directory, variables and functions carry over, and whoever is attached
   * sees it. Await it for the whole result, or iterate it once for its output.
   */
  execute(command: string, options?: ExecuteOptions): SessionCommand
  /** Output that the machine keeps, from an offset. `length` default 1 MiB, at most 8 MiB. */
  read(options: Cancellable & { offset: number; length?: number }): Promise<SessionPart>
  /** Ends the shell: SIGHUP, then SIGKILL. Resolves to what the machine last says of the session. */
  close(options?: Cancellable): Promise<SessionInfo>
  /** What the session would change, as it is now: the changes are in its view. Throws `not_found` where it has none. */
  effects(options?: Cancellable): Promise<EffectDetails>
  /**
   * Ends what runs in the session, and puts its effect in place if it is exactly the one with this hash. Throws `effect_conflict`
   * when the view or the disk is not what was shown. The answer's `effectId` is for `machine.effects.undo`.
   */
  apply(effectHash: string, options?: Cancellable): Promise<EffectInfo>
  /** Ends what runs in the session, and forgets its effect. */
  discard(options?: Cancellable): Promise<EffectInfo>
}

/** How to attach. */
export interface AttachOptions extends ObserveOptions {
  /** Default `operator`. */
  mode?: 'operator' | 'observer' | undefined
  /**
   * The right to type. `auto` takes it where nobody has it, `take` also from an AI or from oneself elsewhere, `none` not
   * at all. Default `auto`.
   */
  lease?: 'auto' | 'take' | 'none' | undefined
  /** Size of the operator's terminal; the session has it while the operator has the lease. */
  size?: TerminalSize | undefined
  /** Milliseconds the machine keeps place and lease for a lost connection. Default 30,000. */
  orphanMs?: number | undefined
}

export interface ObserveOptions {
  /** Bytes of output that are known already: goes on from there without a snapshot, where the machine keeps them. */
  offset?: number | undefined
  /** Leaves: what is read of the attachment then throws `cancelled`. The session goes on. */
  signal?: AbortSignal | undefined
}

/** Output from `offset`, which is later than asked where older output is not kept any more. */
export interface SessionPart {
  readonly data: Uint8Array
  readonly offset: number
  /** Bytes of output of the session so far. */
  readonly outputBytes: number
}

export type { Lease, SessionEnd, SessionInfo, TerminalSize }
