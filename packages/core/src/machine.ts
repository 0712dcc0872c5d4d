import type { Facts } from '@cmdop/protocol'

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
  /**
   * Runs a command as a process of its own over pipes: an argv as it is, a string under `/bin/sh -c`.
   * Starts at once. Await it for the whole result, or iterate it for chunks.
   */
  exec(command: string | readonly string[], options?: ExecOptions): Execution
  /** Reads what the machine says of itself. */
  facts(options?: { signal?: AbortSignal }): Promise<Facts>
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

/** Files of a machine, read with the daemon's rights. */
export interface MachineFiles {
  /** A part of a file. `length` default 64 KiB, at most 8 MiB. */
  read(path: string, options?: { offset?: number; length?: number; signal?: AbortSignal }): Promise<FilePart>
  /** Entries of a directory in byte order of their names. `limit` default 200, at most 1,000. */
  list(path: string, options?: { limit?: number; cursor?: string; signal?: AbortSignal }): Promise<FileList>
}

/** Bytes of a file from `offset`. */
export interface FilePart {
  readonly path: string
  readonly data: Uint8Array
  readonly offset: number
  /** Size of the whole file in bytes when it was opened. */
  readonly size: number
}

/** One page of a directory. */
export interface FileList {
  readonly entries: readonly FileEntry[]
  /** Pass it on for the next page; absent on the last. */
  readonly nextCursor?: string
}

/** A name in a directory; a symbolic link is shown as itself. */
export interface FileEntry {
  readonly name: string
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  readonly size: number
  /** Permission bits as in `chmod`: 0o644. */
  readonly mode: number
  /** ISO 8601 in UTC. */
  readonly modifiedAt: string
}
