import { CmdopError } from '@cmdop/protocol'

/** How one command is run. */
export interface ExecuteOptions {
  /** Whose command it is. */
  readonly principalId?: string
  /** Interrupts the command; while it waits for its turn, it is not run at all. */
  readonly signal?: AbortSignal
  /** Milliseconds until it is interrupted, its waiting included. */
  readonly timeoutMs?: number
  /** While another command has the shell: `wait` for it, or fail with `conflict`. */
  readonly whenBusy: 'wait' | 'conflict'
}

/** How a command ended. Offsets count the bytes that the session shows. */
export interface ExecutionEnd {
  readonly reason: 'exited' | 'deadline' | 'cancelled' | 'session-ended'
  /** Null where it was interrupted and the shell does not say. */
  readonly exitCode: number | null
  /** Directory of the shell afterwards, the bytes as they are; null where it is not known. */
  readonly directory: Buffer | null
  readonly endOffset: number
  readonly durationMs: number
}

/** A command that the shell has taken. */
export interface Execution {
  /** Where its output begins. */
  readonly offset: number
  /** Where its output ends, as soon as that is known: what the session shows from there on is not of the command. */
  readonly endOffset: number | undefined
  /** Never rejects. */
  readonly ended: Promise<ExecutionEnd>
}

export type TurnOptions = Partial<Pick<Turn, 'hidden' | 'principalId'>>

/** One command: it waits for its turn, is handed over, runs, and has ended. */
export class Turn {
  readonly id: number
  readonly command: string
  /** One of ours, which nobody is to see. */
  readonly hidden: boolean
  /** Whose it is. */
  readonly principalId: string | undefined
  readonly started = Promise.withResolvers<Execution>()
  /** Why it is to end; a turn that has not begun is given up instead. */
  reason: 'exited' | 'deadline' | 'cancelled' = 'exited'
  /** Where its output ended. */
  endOffset: number | undefined
  readonly #ended = Promise.withResolvers<ExecutionEnd>()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0

  constructor(id: number, command: string, { hidden = false, principalId }: TurnOptions) {
    this.id = id
    this.command = command
    this.hidden = hidden
    this.principalId = principalId
    // Nobody waits for a hidden one.
    this.started.promise.catch(() => {})
  }

  /** Calls back once, when it is to be interrupted; `reason` says why. */
  watch({ signal, timeoutMs }: ExecuteOptions, onInterrupt: () => void): void {
    const interrupt = (reason: 'deadline' | 'cancelled') => {
      if (this.reason !== 'exited' || this.#stop.signal.aborted) return
      this.reason = reason
      onInterrupt()
    }
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => interrupt('deadline'), timeoutMs)
    signal?.addEventListener('abort', () => interrupt('cancelled'), { signal: this.#stop.signal })
    if (signal?.aborted === true) interrupt('cancelled')
  }

  begin(offset: number): void {
    this.#startedAt = performance.now()
    const endOffset = () => this.endOffset
    const ended = this.#ended.promise
    this.started.resolve({
      offset,
      ended,
      get endOffset() {
        return endOffset()
      },
    })
  }

  end(end: Omit<ExecutionEnd, 'durationMs'>): void {
    this.#forget()
    this.endOffset = end.endOffset
    this.#ended.resolve({ ...end, durationMs: Math.round((performance.now() - this.#startedAt) * 1000) / 1000 })
  }

  /** Nothing of it ran. */
  fail(error: CmdopError): void {
    this.#forget()
    this.started.reject(error)
  }

  /** Gives it up before it began. */
  giveUp(): void {
    this.fail(
      this.reason === 'deadline'
        ? new CmdopError('timeout', 'The shell was busy until the deadline; nothing of the command ran.')
        : new CmdopError('cancelled', 'Cancelled while it waited for the shell; nothing of the command ran.'),
    )
  }

  #forget(): void {
    clearTimeout(this.#timer)
    this.#stop.abort()
  }
}
