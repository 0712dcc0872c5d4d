import {
  CmdopError,
  type RecordingFailure,
  type RecordingSubject,
  type TerminalSize,
  toCmdopError,
} from '@cmdop/protocol'
import { CastEncoder, castHeader } from './cast-encoder.ts'
import { CastFile } from './cast-file.ts'
import { type CastEvent, encodeEvents, EventQueue } from './event-queue.ts'
import type { OutputPiece } from './exec-output.ts'
import type { Spool } from './spool.ts'

/** Milliseconds in which events are collected for one write. */
const COLLECT_MS = 50

/** Bytes of output that are not collected any longer, but written. */
const WRITE_BYTES = 128 * 1024

/** Bytes of output that may wait to be written before who puts it out has to wait. */
const WAITING_BYTES = 1024 * 1024

/** Bytes at the end of a recording that are free for what says how it ended. */
const RESERVED_BYTES = 64 * 1024

export interface CastRecordingOptions {
  readonly spool: Spool
  readonly subject: RecordingSubject
  readonly size: TerminalSize
  readonly shell?: string | null
  readonly onFailure: RecordingFailure
  /** Says what is done now that it cannot be recorded; with `pause`, output waits until it can be again. */
  readonly failed: (action: RecordingFailure, error: CmdopError) => void
  readonly maxBytes: number
  /** Milliseconds until it is tried again after it failed. */
  readonly retryMs: number
  /** By `performance.now()`. Default: now. */
  readonly beganAt?: number
}

/**
 * One recording while it happens. Events are collected, encoded and written in the background; what cannot be written is
 * left out, waited with, or ends what is recorded, as its policy says.
 */
export class CastRecording {
  readonly id: string
  readonly #options: CastRecordingOptions
  readonly #encoder: CastEncoder
  readonly #beganAt: number
  readonly #queue = new EventQueue()
  /** Encoded and not written yet. */
  #pending: { readonly lines: Buffer; readonly bytes: number } | undefined
  #state: 'works' | 'paused' | 'skips' | 'stopped' = 'works'
  #size: TerminalSize
  #missed = 0
  #hasGap = false
  #file: CastFile | undefined
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #ready = Promise.withResolvers<void>()

  constructor(options: CastRecordingOptions) {
    this.id = options.subject.recordingId
    this.#options = options
    this.#size = options.size
    this.#beganAt = options.beganAt ?? performance.now()
    this.#encoder = new CastEncoder(options.subject.kind)
    this.#schedule(COLLECT_MS)
  }

  /** Milliseconds since it began. */
  get time(): number {
    return performance.now() - this.#beganAt
  }

  /** Records output, which must not change afterwards. A promise says: wait for it before you read more. */
  output(data: Uint8Array): Promise<void> | undefined {
    return this.piece({ time: this.time, stream: 'stdout', data })
  }

  /** The same, of a stream and a time. */
  piece(piece: OutputPiece): Promise<void> | undefined {
    this.add({ kind: 'output', ...piece })
    return this.#state === 'paused' || this.#queue.cost > WAITING_BYTES ? this.#ready.promise : undefined
  }

  /** The terminal has another size. */
  resized(size: TerminalSize): void {
    this.#size = size
    this.add({ kind: 'resize', time: this.time, text: `${size.columns}x${size.rows}` })
  }

  /** A note for whoever replays it: who typed how much, who may type now. Never the input itself. */
  note(text: string): void {
    this.add({ kind: 'marker', time: this.time, text })
  }

  /** Writes what is left, and the manifest. Resolves when that is done or cannot be done; never rejects. */
  async end({ exitCode }: { exitCode: number | null }): Promise<void> {
    const durationMs = Math.round(this.time * 1000) / 1000
    do await this.#flush()
    while (this.#state === 'works' && this.#queue.cost > 0)
    // Nothing waits for a disk or a relay that may never be there again.
    if (this.#state === 'paused') this.#skip()
    this.#encoder.flush(this.time)
    const closing = this.#state === 'skips' ? this.#gapLines() : this.#encoder.take()
    const integrity = this.#hasGap ? 'gap' : 'complete'
    this.#stop()
    await this.#file?.write(closing).catch(() => {})
    await this.#file?.end({ exitCode, durationMs, integrity }).catch((error: unknown) => {
      this.#options.failed('continue', failure(error))
    })
  }

  /** Any event, with its time. */
  add(event: CastEvent): void {
    if (this.#state === 'stopped') return
    if (this.#state === 'skips') return this.#miss([event])
    this.#queue.add(event)
    if (this.#state === 'paused') return
    if (this.#queue.cost >= WRITE_BYTES) void this.#flush()
    else this.#schedule(COLLECT_MS)
  }

  #schedule(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#flush()
    }, ms)
  }

  /** Writes until nothing waits, or until it fails. */
  #flush(): Promise<void> {
    this.#writing ??= this.#write()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#writing = undefined
      })
    return this.#writing
  }

  async #write(): Promise<void> {
    const { spool, subject, size, shell = null } = this.#options
    if (this.#state !== 'stopped')
      this.#file ??= await CastFile.create(spool, subject, Buffer.from(castHeader(subject, { size, shell })))
    while (this.#state !== 'stopped') {
      const isGap = this.#state === 'skips'
      const missed = this.#missed
      if (isGap) this.#pending = { lines: this.#gapLines(), bytes: 0 }
      else this.#pending ??= this.#encodeNext()
      if (this.#pending === undefined) return
      await this.#append(this.#pending.lines)
      this.#pending = undefined
      if (isGap) this.#missed -= missed
      this.#works()
    }
  }

  #encodeNext(): { lines: Buffer; bytes: number } | undefined {
    const events = this.#queue.take(WRITE_BYTES)
    if (events.length === 0) return undefined
    const bytes = encodeEvents(this.#encoder, events)
    return { lines: this.#encoder.take(), bytes }
  }

  async #append(lines: Buffer): Promise<void> {
    const limit = this.#options.maxBytes - RESERVED_BYTES
    if ((this.#file?.bytes ?? 0) + lines.length > limit) throw new TooLong()
    await this.#file?.write(lines)
  }

  /** What came while nothing could be written, and how large the terminal is now. */
  #gapLines(): Buffer {
    const time = this.time
    const { columns, rows } = this.#size
    this.#encoder.omission(time, { bytes: this.#missed })
    this.#encoder.event(time, 'resize', `${columns}x${rows}`)
    return this.#encoder.take()
  }

  #works(): void {
    if (this.#state !== 'stopped') this.#state = this.#missed > 0 ? 'skips' : 'works'
    if (this.#queue.cost <= WAITING_BYTES) this.#release()
  }

  #fail(cause: unknown): void {
    if (this.#state === 'stopped') return
    const { onFailure, failed, retryMs } = this.#options
    const isOver = cause instanceof TooLong
    // A recording that is full does not become emptier by waiting.
    const action = isOver && onFailure === 'pause' ? 'terminate' : onFailure
    if (this.#state === 'works') failed(action, failure(cause))
    if (action === 'terminate') return this.#stop()
    if (action === 'pause') this.#state = 'paused'
    else this.#skip()
    if (!isOver) this.#schedule(retryMs)
  }

  #skip(): void {
    this.#state = 'skips'
    this.#hasGap = true
    this.#missed += this.#pending?.bytes ?? 0
    this.#pending = undefined
    this.#miss(this.#queue.take(Number.POSITIVE_INFINITY))
    this.#encoder.reset()
    this.#release()
  }

  #stop(): void {
    this.#hasGap = true
    this.#state = 'stopped'
    clearTimeout(this.#timer)
    this.#release()
  }

  #miss(events: readonly CastEvent[]): void {
    for (const event of events) if (event.kind === 'output') this.#missed += event.data.length
  }

  #release(): void {
    this.#ready.resolve()
    this.#ready = Promise.withResolvers()
  }
}

/** The recording has its greatest length. */
class TooLong extends Error {}

function failure(cause: unknown): CmdopError {
  if (cause instanceof TooLong)
    return new CmdopError('recording_failed', 'The recording has its greatest length; what comes now is not recorded.')
  return toCmdopError(cause, 'recording_failed', 'The recording cannot be written.')
}
