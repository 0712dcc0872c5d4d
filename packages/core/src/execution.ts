import {
  type Channel,
  CmdopError,
  DEFAULT_ORPHAN_MS,
  ExecEnd,
  execLanes,
  ExecStarted,
  isCmdopError,
  RememberedFor,
} from '@cmdop/protocol'
import type { Channels, MachineCall } from './channels.ts'
import { ExecError, refusedError } from './exec-error.ts'
import { resultOf } from './exec-output.ts'
import { exitError } from './exit-error.ts'
import type { ExecChunk, ExecExit, ExecOptions, ExecResult, Execution } from './machine.ts'
import { OutputCollector } from './output-collector.ts'
import { createBackoff, isLost, isTransient } from './reconnect.ts'
import { knownRestrictions } from './restrictions.ts'
import { StdinSource } from './stdin-source.ts'
import { wait } from './wait.ts'

/** Bytes of each stream kept of an awaited command unless chosen. */
export const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024

/** Milliseconds a cancelled command may take to be gone before that is given up on: SIGTERM, 2 s, SIGKILL, and the way. */
const CANCEL_CONFIRM_MS = 10_000

export interface ExecutionStart {
  readonly channels: Channels
  readonly machineId: string
  readonly command: string | readonly string[]
  readonly callId: string
  readonly options: ExecOptions
}

/** A command over the relay. A lost connection is taken up again at the byte where it broke. */
export class RemoteExecution implements Execution {
  readonly callId: string
  readonly #start: ExecutionStart
  readonly #stdin: StdinSource | undefined
  readonly #exit = Promise.withResolvers<ExecExit>()
  readonly #cancelled = new AbortController()
  readonly #opened: Promise<Channel>
  readonly #beganAt = performance.now()
  #isAsked = false
  #started = false
  #iterator: AsyncGenerator<ExecChunk, void, undefined> | undefined
  #offset = 0
  #channel: Channel | undefined
  #confirmUntil = Number.POSITIVE_INFINITY
  #use: 'none' | 'awaited' | 'iterated' = 'none'
  #result: Promise<ExecResult> | undefined

  constructor(start: ExecutionStart) {
    this.#start = start
    this.callId = start.callId
    const { stdin, signal } = start.options
    this.#stdin = stdin === undefined ? undefined : new StdinSource(stdin)
    const cancel = () => this.#cancel()
    const forget = () => signal?.removeEventListener('abort', cancel)
    signal?.addEventListener('abort', cancel, { once: true })
    this.#exit.promise.then(forget, forget)
    if (signal?.aborted === true) cancel()
    this.#opened = this.#open()
    this.#opened.catch((error: unknown) => {
      if (!this.#isRepairable(error)) this.#exit.reject(error)
    })
  }

  get exit(): Promise<ExecExit> {
    return this.#exit.promise
  }

  // oxlint-disable-next-line unicorn/no-thenable -- an execution is awaited for its result
  then<Fulfilled = ExecResult, Rejected = never>(
    fulfilled?: ((value: ExecResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    rejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (this.#use === 'iterated') return Promise.reject(usedError()).then(fulfilled, rejected)
    this.#use = 'awaited'
    this.#result ??= this.#collect()
    return this.#result.then(fulfilled, rejected)
  }

  [Symbol.asyncIterator](): AsyncIterator<ExecChunk> {
    if (this.#use !== 'none') throw usedError()
    this.#use = 'iterated'
    this.#iterator = this.#chunks()
    return this.#iterator
  }

  /** Ends the command if it still runs, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    if (this.#use === 'none') await this.then(undefined, () => {})
    // Nobody reads on: the iteration would never come to its end.
    if (this.#use === 'iterated') await this.#leave()
    await this.#exit.promise.catch(() => {})
  }

  async #collect(): Promise<ExecResult> {
    const limit = this.#start.options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES
    const output = { stdout: new OutputCollector(limit), stderr: new OutputCollector(limit) }
    try {
      for await (const { stream, data } of this.#chunks()) output[stream].add(data)
      return resultOf(await this.#exit.promise, finished(output))
    } catch (error) {
      if (!(error instanceof ExecError)) throw error
      const exit = exitOf(error.details)
      throw new ExecError(error.code, error.message, {
        details: error.details,
        result: resultOf(exit, finished(output)),
      })
    }
  }

  /** The output, and at its end the exit. Leaving early ends the command. */
  async *#chunks(): AsyncGenerator<ExecChunk, void, undefined> {
    let finished = false
    try {
      let channel = await this.#opened.catch((error: unknown) => this.#resume(error))
      for (;;) {
        try {
          yield* this.#read(channel)
          this.#finish(ExecEnd.parse(await channel.finished))
          await channel.end()
          break
        } catch (error) {
          channel = await this.#resume(error)
        }
      }
      finished = true
    } catch (error) {
      finished = true
      this.#exit.reject(error)
      throw error
    } finally {
      if (!finished) await this.#abandon()
      this.#stdin?.close()
    }
  }

  async *#read(channel: Channel): AsyncGenerator<ExecChunk, void, undefined> {
    for await (const { lane, data } of channel) {
      const chunk: ExecChunk = { stream: lane === execLanes.stderr ? 'stderr' : 'stdout', data, offset: this.#offset }
      this.#offset += data.length
      yield chunk
    }
  }

  #finish(end: ExecEnd): void {
    const { reason, ...exit } = end
    if (reason !== 'exited') throw exitError(reason, exit, { deadlineMs: this.#start.options.deadlineMs })
    const { effect } = exit
    if (effect?.refusal !== undefined) throw refusedError(exit, effect, { refusal: effect.refusal })
    this.#exit.resolve(exit)
  }

  /** A channel on which the command goes on, within `orphanMs` of the loss. Throws what cannot be repaired. */
  async #resume(lost: unknown): Promise<Channel> {
    if (!this.#isRepairable(lost)) throw lost
    const end = Date.now() + (this.#start.options.orphanMs ?? DEFAULT_ORPHAN_MS)
    for (const backoff = createBackoff(); ;) {
      await wait(backoff())
      try {
        return await this.#reopen()
      } catch (error) {
        if (!isTransient(error)) throw this.#resumeError(error)
        if (Date.now() >= end) throw unknownEnd(lost)
        if (Date.now() >= this.#confirmUntil) throw unconfirmedError()
      }
    }
  }

  async #reopen(): Promise<Channel> {
    try {
      return await this.#openCall(this.#call('exec.attach', { offset: this.#offset }))
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'not_found' || this.#started) throw error
      if (this.#cancelled.signal.aborted) throw error
      // What never reached the machine can be sent again: it runs no call id twice, unless it has lost its memory since.
      const { rememberedForMs = 0 } = RememberedFor.safeParse(error.details).data ?? {}
      if (rememberedForMs < performance.now() - this.#beganAt) throw notRemembered(error)
      return this.#open()
    }
  }

  /** A lost connection, and the machine may have been asked: one that never was there is not waited for. */
  #isRepairable(error: unknown): error is CmdopError {
    return this.#isAsked && isLost(error)
  }

  #resumeError(error: unknown): unknown {
    const isUnknown = isCmdopError(error) && error.code === 'not_found'
    if (isUnknown && this.#cancelled.signal.aborted) {
      return new CmdopError('cancelled', 'The command was cancelled and is gone.', { details: { confirmed: true } })
    }
    if (!this.#started || !isCmdopError(error) || error.code !== 'not_found') return error
    return new CmdopError(
      'lost',
      'The machine no longer knows the command; it was ended after the connection was lost.',
      { cause: error },
    )
  }

  async #open(): Promise<Channel> {
    const { command, options } = this.#start
    const restrictions = knownRestrictions(options.restrictions)
    const params = {
      command,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.orphanMs === undefined ? {} : { orphanMs: options.orphanMs }),
      ...(options.showIn === undefined ? {} : { showIn: options.showIn }),
      ...(this.#stdin === undefined ? {} : { stdin: true }),
      ...(options.callId === undefined ? {} : { keepResult: true }),
      ...(options.notAfter === undefined ? {} : { notAfter: instantOf(options.notAfter) }),
      ...(restrictions === undefined ? {} : { restrictions }),
      ...(options.skill === undefined ? {} : { skill: options.skill }),
    }
    const mayStartSandbox = restrictions !== undefined || options.showIn !== undefined
    return this.#openCall({ ...this.#call('exec', params), mayStartSandbox })
  }

  async #openCall(call: MachineCall): Promise<Channel> {
    const channel = await this.#start.channels.open(call, (opened) => {
      this.#isAsked = true
      opened.onControl = (message) => this.#receive(opened, message)
    })
    this.#channel = channel
    if (this.#cancelled.signal.aborted) this.#sendCancel(channel)
    return channel
  }

  #call(method: 'exec' | 'exec.attach', params: Record<string, unknown>): MachineCall {
    const { machineId, options } = this.#start
    const { approval, operator } = options
    const call = { method, target: machineId, params, callId: this.callId, operator }
    // Coming back is not cancelled with the command: it is how the machine learns of it. Nor is it what people have approved.
    return method === 'exec'
      ? { ...call, approval, deadlineMs: options.deadlineMs, signal: this.#cancelled.signal }
      : call
  }

  #receive(channel: Channel, message: unknown): void {
    const started = ExecStarted.safeParse(message)
    if (!started.success) return
    this.#started = true
    this.#stdin?.send(channel, started.data.stdinOffset).catch((error: unknown) => {
      // A lost channel is taken up elsewhere; only a source that throws ends the command.
      if (!isCmdopError(error))
        channel.reset(new CmdopError('cancelled', 'The source of stdin failed.', { cause: error }))
    })
  }

  #cancel(): void {
    if (this.#cancelled.signal.aborted) return
    this.#cancelled.abort()
    this.#confirmUntil = Date.now() + CANCEL_CONFIRM_MS
    if (this.#channel !== undefined) this.#sendCancel(this.#channel)
  }

  /** Asks the machine to end the command; if it does not say so in time, that is what the caller is told. */
  #sendCancel(channel: Channel): void {
    channel.control({ type: 'cancel' }).catch(() => {})
    const timer = setTimeout(() => channel.reset(unconfirmedError()), CANCEL_CONFIRM_MS)
    const clear = () => clearTimeout(timer)
    channel.finished.then(clear, clear)
  }

  /** Ends an iteration from outside, wherever it is. */
  async #leave(): Promise<void> {
    await this.#iterator?.return().catch(() => {})
    // One that was never begun does nothing at its end.
    await this.#opened.then(() => this.#abandon()).catch(() => {})
  }

  /** The reader left: ends the command, and waits until it is gone. */
  async #abandon(): Promise<void> {
    this.#cancel()
    const channel = this.#channel
    if (channel === undefined) return
    this.#exit.reject(new CmdopError('cancelled', 'The reader left before the end; the command was ended.'))
    try {
      for await (const _ of channel);
      await channel.end()
    } catch {
      // Told by the exit already.
    }
  }
}

/** What became of the command is not known, so sending it again could run it twice. */
function unknownEnd(lost: CmdopError): CmdopError {
  return new CmdopError(
    lost.code,
    `${lost.message} The command was not found again in time; look at the machine before you repeat it.`,
    {
      cause: lost,
    },
  )
}

function notRemembered(cause: CmdopError): CmdopError {
  return new CmdopError(
    'unknown',
    'Whether the command ran is not known: the machine does not remember so far back. Look at it before you repeat the command.',
    { cause },
  )
}

function unconfirmedError(): CmdopError {
  return new CmdopError('cancelled', 'Cancelled, but the machine did not confirm in time that the command is gone.', {
    details: { confirmed: false },
  })
}

function exitOf(details: Record<string, unknown>): ExecExit {
  return ExecEnd.omit({ reason: true }).parse(details)
}

function finished({ stdout, stderr }: Record<'stdout' | 'stderr', OutputCollector>) {
  return { stdout: stdout.finish(), stderr: stderr.finish() }
}

/** An invalid date stays one, which the relay refuses. */
function instantOf(instant: Date | string): string {
  return typeof instant === 'string' || Number.isNaN(instant.getTime()) ? String(instant) : instant.toISOString()
}

function usedError(): CmdopError {
  return new CmdopError('conflict', 'An execution is either awaited or iterated once; start another one.')
}
