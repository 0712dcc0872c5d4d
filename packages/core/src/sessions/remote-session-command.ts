import { type Channel, CmdopError, SessionExecuteEnd } from '@cmdop/protocol'
import { newCallId, parseAnswer } from '../answers.ts'
import type { Channels } from '../channels.ts'
import { DEFAULT_MAX_OUTPUT_BYTES } from '../execution.ts'
import { OutputCollector } from '../output-collector.ts'
import { isLost } from '../reconnect.ts'
import {
  ExecuteError,
  type ExecuteExit,
  type ExecuteOptions,
  ExecuteResult,
  type SessionChunk,
  type SessionCommand,
} from './execute.ts'

/** Milliseconds an interrupted command may take until the shell is back. */
const CANCEL_CONFIRM_MS = 10_000

export interface SessionCommandStart {
  readonly channels: Channels
  readonly machineId: string
  readonly sessionId: string
  readonly command: string
  readonly options: ExecuteOptions
}

/** A command in a session over the relay. It begins at once. A lost connection leaves it running in the session. */
export class RemoteSessionCommand implements SessionCommand {
  readonly #start: SessionCommandStart
  readonly #exit = Promise.withResolvers<ExecuteExit>()
  readonly #cancelled = new AbortController()
  readonly #opened: Promise<Channel>
  #use: 'none' | 'awaited' | 'iterated' = 'none'
  #result: Promise<ExecuteResult> | undefined

  constructor(start: SessionCommandStart) {
    this.#start = start
    const { signal } = start.options
    const cancel = () => this.#cancel()
    const forget = () => signal?.removeEventListener('abort', cancel)
    signal?.addEventListener('abort', cancel, { once: true })
    this.#exit.promise.then(forget, forget)
    if (signal?.aborted === true) cancel()
    this.#opened = this.#open()
    this.#opened.catch((error: unknown) => this.#exit.reject(error))
  }

  get exit(): Promise<ExecuteExit> {
    return this.#exit.promise
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a command is awaited for its result
  then<Fulfilled = ExecuteResult, Rejected = never>(
    fulfilled?: ((value: ExecuteResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    rejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (this.#use === 'iterated') return Promise.reject(usedError()).then(fulfilled, rejected)
    this.#use = 'awaited'
    this.#result ??= this.#collect()
    return this.#result.then(fulfilled, rejected)
  }

  [Symbol.asyncIterator](): AsyncIterator<SessionChunk, void, undefined> {
    if (this.#use !== 'none') throw usedError()
    this.#use = 'iterated'
    return this.#chunks()
  }

  /** Interrupts the command if it still runs, and waits until the shell is back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    if (this.#use === 'none') await this.then(undefined, () => {})
    await this.#exit.promise.catch(() => {})
  }

  async #collect(): Promise<ExecuteResult> {
    const output = new OutputCollector(this.#start.options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES)
    try {
      for await (const { data } of this.#chunks()) output.add(data)
      return new ExecuteResult(await this.#exit.promise, output.finish())
    } catch (error) {
      if (!(error instanceof ExecuteError)) throw error
      const exit = SessionExecuteEnd.omit({ reason: true }).parse(error.details)
      const result = new ExecuteResult(exit, output.finish())
      throw new ExecuteError(error.code, error.message, { details: error.details, result })
    }
  }

  /** The output, and at its end the exit. Leaving early interrupts the command. */
  async *#chunks(): AsyncGenerator<SessionChunk, void, undefined> {
    let isRead = false
    try {
      yield* this.#read()
      isRead = true
    } catch (error) {
      isRead = true
      const known = isLost(error) ? lostError(error) : error
      this.#exit.reject(known)
      throw known
    } finally {
      if (!isRead) await this.#abandon()
    }
  }

  async *#read(): AsyncGenerator<SessionChunk, void, undefined> {
    const channel = await this.#opened
    let offset = 0
    for await (const { data } of channel) {
      yield { data, offset }
      offset += data.length
    }
    const { reason, ...exit } = parseAnswer(SessionExecuteEnd, await channel.finished)
    await channel.end()
    if (reason !== 'exited') throw endedError(reason, exit, this.#start.options.timeoutMs)
    this.#exit.resolve(exit)
  }

  async #open(): Promise<Channel> {
    const { channels, machineId: target, sessionId, command, options } = this.#start
    const { whenBusy, timeoutMs: deadlineMs } = options
    const params = { sessionId, command, ...(whenBusy === undefined ? {} : { whenBusy }) }
    const signal = this.#cancelled.signal
    const call = { method: 'session.execute', target, params, callId: newCallId(), deadlineMs, signal } as const
    const channel = await channels.open(call, (opened) => {
      // The machine says when the command begins; who awaits it need not know.
      opened.onControl = () => {}
    })
    const interrupt = () => this.#interrupt(channel)
    if (signal.aborted) interrupt()
    signal.addEventListener('abort', interrupt, { once: true })
    return channel
  }

  #cancel(): void {
    this.#cancelled.abort()
  }

  #interrupt(channel: Channel): void {
    channel.control({ type: 'cancel' }).catch(() => {})
    const timer = setTimeout(() => channel.reset(unconfirmedError()), CANCEL_CONFIRM_MS)
    const clear = () => clearTimeout(timer)
    channel.finished.then(clear, clear)
  }

  /** The reader left: interrupts the command, and waits until the shell is back. */
  async #abandon(): Promise<void> {
    this.#cancel()
    this.#exit.reject(new CmdopError('cancelled', 'The reader left before the end; the command was interrupted.'))
    try {
      const channel = await this.#opened
      for await (const _ of channel);
      await channel.end()
    } catch {
      // Told by the exit already.
    }
  }
}

function endedError(
  reason: 'deadline' | 'cancelled' | 'session-ended',
  details: ExecuteExit,
  timeoutMs: number | undefined,
): ExecuteError {
  if (reason === 'deadline')
    return new ExecuteError('deadline', `The command did not end within ${timeoutMs} ms and was interrupted.`, {
      details,
    })
  if (reason === 'cancelled')
    return new ExecuteError('cancelled', 'The command was cancelled; the session goes on.', { details })
  return new ExecuteError('session_ended', 'The shell of the session ended during the command; open another session.', {
    details,
  })
}

function lostError(cause: CmdopError): CmdopError {
  const advice = 'The command may still run in its session; look there before you repeat it.'
  return new CmdopError(cause.code, `${cause.message} ${advice}`, { cause })
}

function unconfirmedError(): CmdopError {
  return new CmdopError('cancelled', 'Cancelled, but the machine did not confirm in time that the shell is back.', {
    details: { confirmed: false },
  })
}

function usedError(): CmdopError {
  return new CmdopError('conflict', 'A command is either awaited or iterated once; run it again.')
}
