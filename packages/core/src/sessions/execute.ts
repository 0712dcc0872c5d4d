import { CmdopError, type CmdopErrorOptions, type ErrorCode, type SessionExecuteEnd } from '@cmdop/protocol'

/** How a command runs in a session's shell. */
export interface ExecuteOptions {
  /** Milliseconds from the arrival at the machine, waiting for the shell included, until it is interrupted. Default: none. */
  timeoutMs?: number | undefined
  /** Cancels: the command is interrupted, then this rejects with `cancelled`. The session goes on. */
  signal?: AbortSignal | undefined
  /** While another command or another operator has the shell: `wait` for it, or fail with `conflict`. Default `wait`. */
  whenBusy?: 'wait' | 'conflict' | undefined
  /** Bytes of output kept when awaited: half from its start, half from its end. Default 1 MiB. */
  maxOutputBytes?: number | undefined
}

/** A piece of a command's output; `offset` is the position of its first byte. */
export interface SessionChunk {
  readonly data: Uint8Array
  readonly offset: number
}

/** How a command in a session ended. */
export type ExecuteExit = Omit<SessionExecuteEnd, 'reason'>

/** A command that runs in a session: awaited for its result, or iterated once for its output. */
export interface SessionCommand extends PromiseLike<ExecuteResult>, AsyncIterable<SessionChunk>, AsyncDisposable {
  /** How it ended. Settles once somebody awaits or iterates the command to its end; rejects as that does. */
  readonly exit: Promise<ExecuteExit>
}

/**
 * What a command in a session gave; `const [output, exitCode] = await session.execute('uptime')` takes it apart. A terminal
 * has one stream, so standard error is in the output, and programs that look for a terminal may colour theirs.
 */
export class ExecuteResult implements ExecuteExit, Iterable<string | number | null> {
  /** Decoded as UTF-8, the terminal's line ends as `\n`. When truncated: head, a line that says so, tail. */
  readonly output: string
  /** The bytes as the terminal saw them: head and tail joined when truncated. */
  readonly outputData: Uint8Array
  readonly truncated: boolean
  /** Length of all of the output. */
  readonly outputBytes: number
  /** Null when the command was interrupted and the shell did not say. */
  readonly exitCode: number | null
  /** The shell's directory afterwards; null when it is not known. */
  readonly cwd: string | null
  readonly durationMs: number

  constructor(exit: ExecuteExit, collected: { text: string; data: Uint8Array; truncated: boolean }) {
    this.output = collected.text.replaceAll('\r\n', '\n')
    this.outputData = collected.data
    this.truncated = collected.truncated
    this.outputBytes = exit.outputBytes
    this.exitCode = exit.exitCode
    this.cwd = exit.cwd
    this.durationMs = exit.durationMs
  }

  get 0(): string {
    return this.output
  }

  get 1(): number | null {
    return this.exitCode
  }

  *[Symbol.iterator](): Generator<string | number | null, void, undefined> {
    yield this.output
    yield this.exitCode
  }
}

/**
 * A command in a session that was interrupted, `deadline` or `cancelled`, or whose shell ended under it, `session_ended`.
 * What it had put out until then is in `result` when it was awaited.
 */
export class ExecuteError extends CmdopError {
  readonly result: ExecuteResult | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: CmdopErrorOptions & { result?: ExecuteResult | undefined } = {},
  ) {
    super(code, message, options)
    this.name = 'ExecuteError'
    this.result = options.result
  }
}
