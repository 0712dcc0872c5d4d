import type { TerminalSize } from '@cmdop/protocol'

/** What to start in a new pseudo-terminal. */
export interface PtyRequest {
  /** Path of the program. */
  readonly file: string
  /** What follows the name of the program. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly size: TerminalSize
  /** Output as it comes. The bytes are the caller's only until it returns. */
  readonly onData: (data: Uint8Array) => void
}

/** Exactly one is not null. */
export interface PtyExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program in a pseudo-terminal, leader of a session and a process group of its own. Where it runs is the adapter's. */
export interface Pty {
  readonly pid: number
  /** Resolves when the program has ended and the last byte of its output was given out. Never rejects. */
  readonly exit: Promise<PtyExit>
  /** Bytes that were written and that the terminal has not taken. */
  readonly waitingBytes: number
  /** Gives out nothing until {@link Pty.resume}: the terminal fills up, and the program waits. Idempotent. */
  pause(): void
  resume(): void
  /** Input, in the order of the calls. Resolves when the terminal has taken all of it, or it was dropped. */
  write(data: Uint8Array): Promise<void>
  /**
   * Drops all input that the program has not read, as the terminal does it itself at a `^C` that it gets to see.
   * False, and nothing is dropped, where one of these bytes is no signal to the program: it reads them all.
   */
  interrupt(data: Uint8Array): boolean
  /** Drops the input that the terminal has not taken. */
  dropInput(): void
  resize(size: TerminalSize): void
  /** Signals the program's process group. Nothing when it has ended. */
  kill(signal: NodeJS.Signals): void
}

/** Starts programs in pseudo-terminals. */
export interface PtyHost {
  /** Rejects with `exec_failed`, and `unsupported` where the system has no pseudo-terminals. */
  spawn(request: PtyRequest): Promise<Pty>
}
