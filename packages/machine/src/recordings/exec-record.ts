import type { ExecEnd, RecordingManifest, RecordingSubject } from '@cmdop/protocol'
import { createHash } from 'node:crypto'
import { CastEncoder, castHeader, type OutputStream } from './cast-encoder.ts'
import type { CastRecording } from './cast-recording.ts'
import { type CastEvent, encodeEvents } from './event-queue.ts'
import { ExecOutput } from './exec-output.ts'

/** How a command's recording shows: it has no terminal. */
export const EXEC_SIZE = { columns: 80, rows: 24 }

/** How a command ended, as its recording says it. */
export interface ExecRecordEnd extends Pick<ExecEnd, 'exitCode' | 'reason'> {
  /** What it put out is not known. */
  readonly isOfEarlierDaemon?: boolean
}

export interface ExecRecordOptions {
  readonly subject: RecordingSubject
  /** Takes the record once its command has ended; resolves when it is written, or cannot be. */
  readonly ended: (record: ExecRecord) => Promise<void>
}

/**
 * What is recorded of a command. It costs its command nothing but the references to its output: it is encoded after the
 * end. One that runs for long is written as it goes, so that what it put out is not lost with the daemon.
 */
export class ExecRecord {
  readonly subject: RecordingSubject
  readonly beganAt = performance.now()
  readonly #options: ExecRecordOptions
  readonly #output = new ExecOutput()
  readonly #written = Promise.withResolvers<void>()
  #live: CastRecording | undefined
  /** Pieces of the head that the live recording has. */
  #given = 0
  #end: (ExecRecordEnd & { readonly time: number }) | undefined

  constructor(options: ExecRecordOptions) {
    this.#options = options
    this.subject = options.subject
  }

  /** Resolves when the command has ended and its record is on this machine, or cannot be. */
  get written(): Promise<void> {
    return this.#written.promise
  }

  /** Bytes that it holds. */
  get bytes(): number {
    return this.#output.keptBytes
  }

  /** Whether it is written already as it goes. */
  get isLive(): boolean {
    return this.#live !== undefined
  }

  output(stream: OutputStream, data: Uint8Array): void {
    this.#output.add({ time: performance.now() - this.beganAt, stream, data })
  }

  /** The command has ended. */
  end(end: ExecRecordEnd): void {
    if (this.#end !== undefined) return
    this.#end = { ...end, time: performance.now() - this.beganAt }
    this.#written.resolve(this.#options.ended(this))
  }

  /** Writes what there is of its head; from now on this recording is written as it goes. */
  writeLive(live: CastRecording): void {
    this.#live = live
    this.moreLive()
  }

  /** Gives what came to the live recording. */
  moreLive(): void {
    for (const piece of this.#output.head.slice(this.#given)) void this.#live?.piece(piece)
    this.#given = this.#output.head.length
  }

  /** Ends the live recording with what comes after its head. */
  async endLive(): Promise<void> {
    this.moreLive()
    for (const event of this.#closing()) this.#live?.add(event)
    await this.#live?.end({ exitCode: this.#end?.exitCode ?? null })
  }

  /** The whole recording of a command that has ended. */
  encode(): { content: Buffer; manifest: RecordingManifest } {
    const { subject } = this
    const events: CastEvent[] = this.#output.head.map((piece) => ({ kind: 'output', ...piece }))
    events.push(...this.#closing())
    const encoder = new CastEncoder('exec')
    encodeEvents(encoder, events)
    const { time = 0, exitCode = null, isOfEarlierDaemon = false } = this.#end ?? {}
    encoder.flush(time)
    const content = Buffer.concat([Buffer.from(castHeader(subject, { size: EXEC_SIZE })), encoder.take()])
    const manifest: RecordingManifest = {
      recordingId: subject.recordingId,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      endedAt: new Date().toISOString(),
      durationMs: Math.round(time * 1000) / 1000,
      exitCode,
      integrity: isOfEarlierDaemon ? 'lost' : 'complete',
    }
    return { content, manifest }
  }

  #closing(): CastEvent[] {
    const { time = 0, reason = 'exited' } = this.#end ?? {}
    const { omission, tail } = this.#output.rest()
    const events: CastEvent[] = tail.map((piece) => ({ kind: 'output', ...piece }))
    if (omission !== undefined) events.unshift({ kind: 'omitted', time: tail[0]?.time ?? time, omission })
    if (reason !== 'exited') events.push({ kind: 'marker', time, text: `ended: ${reason}` })
    return events
  }
}
