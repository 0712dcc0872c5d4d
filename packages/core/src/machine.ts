import type {
  EffectSummary,
  Facts,
  MachineCapabilities,
  Operator,
  Restrictions,
  RestrictionsInput,
  SkillUse,
} from '@cmdop/protocol'
import type { ApprovalOptions, MachineApprovals } from './approvals.ts'
import type { MachineEffects } from './effects.ts'
import type { RunJournals } from './runs.ts'
import type { MachineFiles } from './files/machine-files.ts'
import type { MachineSessions } from './sessions/session.ts'
import type { MachineSkills } from './skills/machine-skills.ts'

/**
 * A machine to work on. Implemented by the client over a relay, and by the daemon for the machine it runs on, so that
 * an operator does not know which it has.
 */
export interface Machine {
  /** The relay's id of the machine. */
  readonly id: string
  /** The display name, unique in its fleet. */
  readonly name: string
  /** As the machine's system says it. */
  readonly hostname: string
  readonly files: MachineFiles
  /** Terminals that people and AI operators share; undefined where the machine has none. */
  readonly sessions?: MachineSessions | undefined
  /** What restricted sessions and commands would change; undefined where the machine holds no restrictions. */
  readonly effects?: MachineEffects | undefined
  /** What was installed there from a registry of skills; undefined where the machine has none. */
  readonly skills?: MachineSkills | undefined
  /**
   * Runs a command as a process of its own over pipes: an argv as it is, a string under `/bin/sh -c`.
   * Starts at once. Await it for the whole result, or iterate it for chunks. Restrictions that the machine cannot hold are
   * `restriction_unenforceable`, and nothing runs.
   */
  exec(command: string | readonly string[], options?: ExecOptions): Execution
  /**
   * How a command ended that was started with a `callId`; waits for one that still runs. Of a stream of more than 64 KiB the
   * first and the last 32 are there. Throws what the command would have, `lost`, and `not_found` (its details say since when
   * the machine remembers). Absent where nothing is remembered.
   */
  execResult?(callId: string, options?: { signal?: AbortSignal | undefined }): Promise<ExecResult>
  /** The same machine for calls that are an operator's, or that deal with approvals in one way. Absent where nobody decides. */
  as?(calls: {
    readonly operator?: Operator | undefined
    readonly approval?: ApprovalOptions | undefined
    /** What the session that they work in holds them to. */
    readonly under?: Restrictions | undefined
    /** The fleet run that they are part of, one of your own. */
    readonly fleetRunId?: string | undefined
  }): Machine
  /** Where people are asked; undefined where there is no relay. */
  readonly approvals?: MachineApprovals | undefined
  /** Where runs on this machine are written down; undefined where there is no relay. */
  readonly runs?: RunJournals | undefined
  /** Reads what the machine says of itself. */
  facts(options?: { signal?: AbortSignal }): Promise<Facts>
  /** Which restrictions the machine can hold, and what stays within reach under each: found out by doing, once each boot. */
  capabilities(options?: { signal?: AbortSignal }): Promise<MachineCapabilities>
}

/** How a command runs. */
export interface ExecOptions {
  /** Absolute directory on the machine. Default: the home directory of the daemon's user. */
  cwd?: string
  /** Set on top of the daemon's environment; null removes a variable. */
  env?: Record<string, string | null>
  /** What the command reads. Default: nothing (end of file at once). */
  stdin?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** Milliseconds after which the machine ends the process group: SIGTERM, then SIGKILL after 2 s. Default: none. */
  deadlineMs?: number
  /** Milliseconds the command goes on without its client after a lost connection. Default 30,000. */
  orphanMs?: number
  /** Bytes of each stream kept when awaited: half from its start, half from its end. Default 1 MiB. */
  maxOutputBytes?: number
  /** Id of a session of kind `run` in which the command and its output are shown as they happen. */
  showIn?: string
  /**
   * Id of the call, 8 to 64 letters, digits, `_` and `-`; the machine runs an id once, and remembers for 7 days how it ended:
   * see `execResult`. Default: a new one, which is forgotten with its end.
   */
  callId?: string
  /**
   * What the command may not do; the machine's kernel holds it. With `dryRun` its effect waits, to be applied by
   * `machine.effects`; with `noDelete` one that deletes, empties or replaces something is not applied, and the execution rejects
   * with `restriction_violated`. Not together with a `showIn` that has restrictions.
   */
  restrictions?: RestrictionsInput
  /**
   * From this instant on it is not started any more (`expired`), by the relay's clock: relay and machine both look. Text is ISO 8601 in UTC.
   * What runs by then goes on.
   */
  notAfter?: Date | string
  /** What of an installed skill the command is: it runs only if it is exactly that. See `machine.skills.run`, which fills it in. */
  skill?: SkillUse
  /** What is done where a person has to approve the command. */
  approval?: ApprovalOptions
  /** The run of an AI operator that runs it: it counts as the operator's, on your behalf. */
  operator?: Operator
  /** Cancels: the process group on the machine is ended, then the execution rejects with `cancelled`. */
  signal?: AbortSignal
}

/** A piece of output. */
export interface ExecChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
  /** Position of the first byte in the output of both streams together, in the order the machine read it. */
  readonly offset: number
}

/** How a process ended. Exactly one of `exitCode` and `signal` is not null. */
export interface ExecExit {
  readonly exitCode: number | null
  /** The name of the signal that ended it: `SIGKILL`. */
  readonly signal: string | null
  readonly stdoutBytes: number
  readonly stderrBytes: number
  /** Milliseconds from spawn to the end of both streams, by the machine's clock. */
  readonly durationMs: number
  /** What it changed as a transaction of its own, and whether that was applied; undefined without one. */
  readonly effect?: EffectSummary | undefined
}

/** The whole result of an awaited command. */
export interface ExecResult extends ExecExit {
  /** Decoded as UTF-8, an invalid byte as U+FFFD. When truncated: head, a line that says how much is left out, tail. */
  readonly stdout: string
  readonly stderr: string
  /** The bytes themselves: head and tail joined without the line when truncated. */
  readonly stdoutData: Uint8Array
  readonly stderrData: Uint8Array
  readonly stdoutTruncated: boolean
  readonly stderrTruncated: boolean
}

/** A running command: awaited for the {@link ExecResult}, or iterated once for complete output. */
export interface Execution extends PromiseLike<ExecResult>, AsyncIterable<ExecChunk>, AsyncDisposable {
  readonly callId: string
  /** How it ended. Settles once somebody awaits or iterates the execution to its end; rejects as that does. */
  readonly exit: Promise<ExecExit>
}

export type * from './effects.ts'
export type * from './files/machine-files.ts'
export type * from './skills/machine-skills.ts'
