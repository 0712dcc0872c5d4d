import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import {
  type Channel,
  CmdopError,
  ExecCancel,
  ExecStdinEnd,
  type ExecEnd,
  execLanes,
  type ExecParams,
  type ExecStarted,
  isCmdopError,
  KEPT_RESULT_BYTES,
  KILL_GRACE_MS,
  ResendBuffer,
} from '@cmdop/protocol'
import { KeptStream } from './kept-stream.ts'
import type { ExecRecord } from '../recordings/exec-record.ts'
import type { MirroredCommand } from '../sessions/mirrored-command.ts'
import type { GroupEnd, ProcessGroup } from './process-group.ts'

/** Milliseconds after SIGKILL in which pipes must close; then they are let go, whoever holds them. */
const PIPES_AFTER_KILL_MS = 500

/** Credit's worth of output that is read ahead of what is sent; then the pipes are left to fill, and the command waits. */
const READ_AHEAD = 256 * 1024

/** Milliseconds in which a stopping daemon waits for a command to be gone: both signals, the pipes, and some more. */
const CLOSE_WITHIN_MS = KILL_GRACE_MS + PIPES_AFTER_KILL_MS + 2500

/** Who may come back to a call. */
export interface CallOwner {
  readonly principalId: string
  readonly fleetId: string
}

export interface CallOptions {
  readonly owner: CallOwner
  readonly params: ExecParams
  readonly group: ProcessGroup
  readonly deadlineMs: number | undefined
  readonly record: ExecRecord
  /** Where it is shown while it runs. */
  readonly mirror: MirroredCommand | undefined
}

/** One running command. It outlives its channel: another one can take over from an offset of its output. */
export class Call {
  readonly owner: CallOwner
  readonly #options: CallOptions
  readonly #log = new ResendBuffer()
  readonly #startedAt = performance.now()
  readonly #bytes = { stdout: 0, stderr: 0 }
  readonly #kept: Record<'stdout' | 'stderr', KeptStream> | undefined
  readonly #deadline: NodeJS.Timeout | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly #over = Promise.withResolvers<void>()
  #channel: Channel | undefined
  #sent = 0
  #stdinBytes = 0
  /** Where stdin ends, once that is known. */
  #stdinEnd = Number.POSITIVE_INFINITY
  #changed = Promise.withResolvers<void>()
  #orphan: NodeJS.Timeout | undefined
  #reason: ExecEnd['reason'] = 'exited'
  #ending: GroupEnd | undefined
  /** Its processes have ended; what it changed may still be judged. */
  #isOver = false
  #end: ExecEnd | undefined
  /** Nobody will read on: output is thrown away. */
  #abandoned = false
  /** Somebody waits for the end, and not for the output as it comes. */
  #adopted = false

  constructor(options: CallOptions) {
    this.#options = options
    this.owner = options.owner
    if (options.params.keepResult)
      this.#kept = { stdout: new KeptStream(KEPT_RESULT_BYTES), stderr: new KeptStream(KEPT_RESULT_BYTES) }
    const { deadlineMs } = options
    if (deadlineMs !== undefined) this.#deadline = setTimeout(() => this.kill('deadline'), deadlineMs)
    // Whatever goes wrong with it, a command is not left running, nor its client waiting.
    this.#run()
      .catch(() => this.#abandon('cancelled'))
      .finally(() => this.#options.record.end({ exitCode: this.#end?.exitCode ?? null, reason: this.#reason }))
  }

  /** Resolves when its record is written, or cannot be. */
  get recorded(): Promise<void> {
    return this.#options.record.written
  }

  /** Resolves when the command has ended by itself, or was ended: nothing of it is to be ended any more. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Resolves when the command has ended and its client knows, or will not come back. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** How it ended and what is kept of its output; undefined while it runs, and where nothing is kept. */
  get result(): { readonly end: ExecEnd; readonly stdout: Uint8Array; readonly stderr: Uint8Array } | undefined {
    if (this.#end === undefined || this.#kept === undefined) return undefined
    return { end: this.#end, stdout: this.#kept.stdout.data, stderr: this.#kept.stderr.data }
  }

  /** Waits on this channel for the end, and sends what is kept of the output then. A channel before it is reset. */
  adopt(channel: Channel): void {
    if (this.#kept === undefined) throw new CmdopError('conflict', 'The result of this call is not kept; attach to it.')
    this.#adopted = true
    this.#take(channel)
    channel.accept()
    const sent = this.ended.then(() => (this.result === undefined ? undefined : sendResult(channel, this.result)))
    this.#serve(channel, [sent])
    this.#notify()
  }

  /** Goes on with this channel, from this offset of the output. A channel before it is reset. */
  attach(channel: Channel, offset: number): void {
    if (!this.#log.has(offset)) {
      channel.reset(new CmdopError('conflict', `The output from byte ${offset} on is not kept (any more).`))
      return
    }
    this.#take(channel)
    this.#sent = offset
    channel.onControl = (message) => {
      if (ExecCancel.safeParse(message).success) this.kill('cancelled')
      this.#stdinEnd = ExecStdinEnd.safeParse(message).data?.bytes ?? this.#stdinEnd
      this.#endStdin()
    }
    channel.accept()
    this.#serve(channel, [this.#sendOutput(channel), this.#takeInput(channel)])
  }

  #take(channel: Channel): void {
    clearTimeout(this.#orphan)
    const former = this.#channel
    this.#channel = channel
    former?.reset(new CmdopError('conflict', 'Another connection took over this call.'))
  }

  #serve(channel: Channel, work: readonly Promise<unknown>[]): void {
    Promise.all([...work, channel.over]).then(
      () => this.#leave(channel),
      (error: unknown) => this.#lose(channel, error),
    )
  }

  /** Ends the process group and what left it. The first reason counts. */
  kill(reason: 'deadline' | 'cancelled' | 'lost'): void {
    if (this.#isOver || this.#ending !== undefined) return
    this.#reason = reason
    this.#ending = this.#options.group.end()
    const { stdout, stderr } = this.#options.group.process
    setTimeout(() => {
      stdout.destroy()
      stderr.destroy()
    }, KILL_GRACE_MS + PIPES_AFTER_KILL_MS).unref()
  }

  /** The daemon stops: ends the command, tells its client if that is still there, and waits for nobody else. */
  async close(): Promise<void> {
    this.#abandon('lost')
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, CLOSE_WITHIN_MS)
    await Promise.race([this.over, late.promise])
    clearTimeout(timer)
  }

  async #run(): Promise<void> {
    const { stdin, stdout, stderr, exit } = this.#options.group.process
    stdin?.on('error', () => {})
    // Nobody reads it any more, and it would stay open.
    void exit.then(() => stdin?.destroy())
    await Promise.all([this.#read(stdout, 'stdout'), this.#read(stderr, 'stderr')])
    const { exitCode, signal } = await exit
    clearTimeout(this.#deadline)
    await this.#ending?.finish()
    this.#isOver = true
    const durationMs = Math.round((performance.now() - this.#startedAt) * 1000) / 1000
    const effect = await this.#options.group.settle(this.#reason)
    this.#end = {
      reason: this.#reason,
      exitCode,
      signal,
      stdoutBytes: this.#bytes.stdout,
      stderrBytes: this.#bytes.stderr,
      durationMs,
      ...(effect && { effect }),
    }
    this.#options.mirror?.end(this.#end)
    this.#ended.resolve()
    this.#notify()
    if (this.#abandoned) this.#over.resolve()
  }

  /** Reads a pipe no further ahead than {@link READ_AHEAD}, so that a slow reader slows the command. */
  async #read(pipe: Readable, stream: 'stdout' | 'stderr'): Promise<void> {
    try {
      for await (const data of pipe) {
        this.#bytes[stream] += (data as Buffer).length
        this.#options.record.output(stream, data as Buffer)
        this.#options.mirror?.output(data as Buffer)
        this.#kept?.[stream].add(data as Buffer)
        if (this.#adopted) continue
        this.#log.append(execLanes[stream], data as Buffer)
        this.#notify()
        while (this.#log.costFrom(this.#sent) > READ_AHEAD && !this.#abandoned && !this.#adopted)
          await this.#changed.promise
      }
    } catch {
      // Let go after a kill; what was read counts.
    }
  }

  async #sendOutput(channel: Channel): Promise<void> {
    await channel.control({
      type: 'started',
      pid: this.#options.group.process.pid,
      stdinOffset: this.#stdinBytes,
    } satisfies ExecStarted)
    while (this.#channel === channel) {
      const piece = this.#log.at(this.#sent)
      if (piece !== undefined) {
        await channel.send(piece.lane, piece.data)
        if (this.#channel !== channel) return
        this.#sent = piece.offset + piece.data.length
        this.#log.sentUpTo(this.#sent)
        this.#notify()
      } else if (this.#end === undefined) await this.#changed.promise
      else return channel.end(this.#end)
    }
  }

  /** Ends when the client has ended, because it knows the result. */
  async #takeInput(channel: Channel): Promise<void> {
    const { stdin } = this.#options.group.process
    for await (const { lane, data } of channel) {
      if (lane !== execLanes.stdin || stdin === null)
        throw new CmdopError('protocol', 'Expected stdin only where it was announced.')
      // What is left unread of a lost channel is sent again.
      if (this.#channel !== channel) return
      this.#stdinBytes += data.length
      await write(stdin, data)
      this.#endStdin()
    }
  }

  #endStdin(): void {
    if (this.#stdinBytes >= this.#stdinEnd) this.#options.group.process.stdin?.end()
  }

  /** Both sides have ended the channel: the client knows the result. */
  #leave(channel: Channel): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    this.#over.resolve()
  }

  #lose(channel: Channel, error: unknown): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    channel.reset(
      isCmdopError(error) ? error : new CmdopError('server', 'The command could not be served.', { cause: error }),
    )
    // Only who gives up ends the command at once; a lost connection may come back.
    if (isCmdopError(error) && (error.code === 'cancelled' || error.code === 'timeout')) this.#abandon('cancelled')
    else this.#waitForClient()
  }

  #waitForClient(): void {
    this.#orphan = setTimeout(() => {
      this.#abandon('cancelled')
      void this.ended.then(() => this.#options.mirror?.left())
    }, this.#options.params.orphanMs)
  }

  #abandon(reason: 'cancelled' | 'lost'): void {
    this.#abandoned = true
    clearTimeout(this.#orphan)
    this.kill(reason)
    this.#notify()
    if (this.#end !== undefined) this.#over.resolve()
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** Sends what is kept of a call that is over, and how it ended. */
export async function sendResult(
  channel: Channel,
  { end, stdout, stderr }: { end: ExecEnd; stdout: Uint8Array; stderr: Uint8Array },
): Promise<void> {
  for (const [lane, data] of [
    [execLanes.stdout, stdout],
    [execLanes.stderr, stderr],
  ] as const) {
    if (data.length > 0) await channel.send(lane, data)
  }
  await channel.end(end)
}

/** Resolves when the command took the bytes, or takes no more. */
async function write(stdin: Writable, data: Uint8Array): Promise<void> {
  if (stdin.destroyed || stdin.writableEnded || stdin.write(data)) return
  const stop = new AbortController()
  const gone = once(stdin, 'close', { signal: stop.signal }).catch(() => {})
  await Promise.race([once(stdin, 'drain', { signal: stop.signal }).catch(() => {}), gone])
  stop.abort()
}
