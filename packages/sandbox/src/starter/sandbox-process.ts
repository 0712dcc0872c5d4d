import type { Readable, Writable } from 'node:stream'

/** Exactly one is not null. */
export interface SandboxExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

interface Started {
  /** Id within the view; it means nothing outside. */
  readonly pid: number
  /** Resolves when the program itself has ended; its pipes may be open still. Never rejects. */
  readonly exit: Promise<SandboxExit>
  /** Signals the program's group. Nothing when it has ended. */
  kill(signal: NodeJS.Signals): void
}

/** A program in a view over pipes, leader of a session and group of its own. The bytes do not pass through the host. */
export interface SandboxProcess extends Started {
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
}

/**
 * A program in a pseudo-terminal of the view, which is its controlling terminal. Both ends are open here, not to block at
 * `exec`, and are the caller's to close.
 */
export interface SandboxTerminal extends Started {
  /** Reads what the program shows, writes what is typed, and takes `TIOCSWINSZ`. */
  readonly master: number
  /** Held open, the end of the program is no hang-up and the rest of its output stays readable. */
  readonly slave: number
}
