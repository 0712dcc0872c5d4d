import { join } from 'node:path'
import {
  type CmdopError,
  MAX_RECORDING_BYTES,
  type Permit,
  RECORDING_SPOOL_BYTES,
  type RecordingFailure,
  recordingIdOf,
  type RecordingSubject,
  type TerminalSize,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import { CastRecording } from './cast-recording.ts'
import { ExecBatches } from './exec-batches.ts'
import { EXEC_SIZE, ExecRecord } from './exec-record.ts'
import type { MachineRequests } from './machine-requests.ts'
import { HISTORY_BYTES, Spool } from './spool.ts'
import { Uploader } from './uploader.ts'

/** Milliseconds after which a command that still runs is written as it goes, and how often what it put out is written. */
const LIVE_AFTER_MS = 2000
const LIVE_EVERY_MS = 1000

/** Milliseconds until a recording that failed is tried again. */
const RETRY_MS = 1000

/** Milliseconds in which what there is to send is collected. */
const SEND_EVERY_MS = 500

export interface RecorderOptions {
  /** Of the daemon. */
  readonly dataDir: string
  readonly requests: Pick<MachineRequests, 'send'>
  readonly log: Logger
  /** Bounds, for tests; see {@link MAX_RECORDING_BYTES}, {@link RECORDING_SPOOL_BYTES} and {@link HISTORY_BYTES}. */
  readonly maxBytes?: number
  readonly spoolBytes?: number
  readonly historyBytes?: number
  readonly retryMs?: number
  readonly sendEveryMs?: number
}

/** How a session is recorded. */
export interface RecordingOptions {
  readonly size: TerminalSize
  readonly shell?: string | null
  readonly onFailure: RecordingFailure
  /**
   * The session cannot be recorded: `terminate` = end it now, `continue` = it goes on without, `pause` = its output waits
   * (the promise of {@link Recording.output}) until it can be recorded again. Called once each time that it begins.
   */
  readonly failed: (action: RecordingFailure, error: CmdopError) => void
}

/**
 * The recording of a session while it runs. `output` takes the bytes as they come from the terminal, never changed later;
 * when it answers with a promise, read no more until that resolves. Everything else answers at once. `end` writes what
 * is left and the manifest; it never rejects.
 */
export type Recording = Pick<CastRecording, 'id' | 'output' | 'resized' | 'note' | 'end'>

/** Records everything that happens on this machine, and sends it to the relay. */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #spool: Spool
  readonly #batches: ExecBatches
  readonly #uploader: Uploader
  /** Commands that run. */
  readonly #running = new Set<ExecRecord>()
  readonly #live = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#spool = new Spool({
      folder: join(options.dataDir, 'recordings'),
      waitingBytes: options.spoolBytes ?? RECORDING_SPOOL_BYTES,
      historyBytes: options.historyBytes ?? HISTORY_BYTES,
    })
    this.#batches = new ExecBatches({
      spool: this.#spool,
      failed: (records, err) => options.log.error({ err, records }, 'commands could not be recorded'),
    })
    const { requests, log, sendEveryMs = SEND_EVERY_MS } = options
    const seal = () => this.#batches.seal()
    this.#uploader = new Uploader({ spool: this.#spool, requests, log, everyMs: sendEveryMs, seal })
  }

  /** Begins the recording of a session. */
  begin(subject: RecordingSubject, options: RecordingOptions): Recording {
    const { log, maxBytes = MAX_RECORDING_BYTES, retryMs = RETRY_MS } = this.#options
    const failed: RecordingOptions['failed'] = (action, err) => {
      log.error({ err, recordingId: subject.recordingId, action }, 'a session cannot be recorded')
      options.failed(action, err)
    }
    return new CastRecording({ ...options, spool: this.#spool, subject, failed, maxBytes, retryMs })
  }

  /** Begins the record of a command. */
  beginExec(subject: RecordingSubject): ExecRecord {
    const record = new ExecRecord({ subject, ended: (ended) => this.#end(ended) })
    this.#running.add(record)
    this.#timer ??= setInterval(() => this.#writeLive(), LIVE_EVERY_MS).unref()
    return record
  }

  /** Records that a command was lost with an earlier daemon, unless there is a recording of it. Resolves when that is written. */
  async lost(subject: RecordingSubject): Promise<void> {
    if (this.#spool.has(subject.recordingId)) return
    const record = this.beginExec(subject)
    record.end({ exitCode: null, reason: 'lost', isOfEarlierDaemon: true })
    await record.written
  }

  /** Writes the records of commands that have ended. */
  flush(): Promise<void> {
    return this.#batches.flush()
  }

  /** Writes what has ended, and sends what can still be sent. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#batches.flush()
    await Promise.all(this.#live)
    await this.#uploader.close()
  }

  #end(record: ExecRecord): Promise<void> {
    this.#running.delete(record)
    if (this.#running.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    if (!record.isLive) return this.#batches.add(record)
    const ended = record.endLive().finally(() => this.#live.delete(ended))
    this.#live.add(ended)
    return ended
  }

  #writeLive(): void {
    const { log } = this.#options
    const now = performance.now()
    for (const record of this.#running) {
      const { subject, beganAt } = record
      if (record.isLive) record.moreLive()
      else if (now - beganAt >= LIVE_AFTER_MS) {
        const failed = (err: CmdopError) =>
          log.error({ err, recordingId: subject.recordingId }, 'a command cannot be recorded')
        const options = {
          spool: this.#spool,
          subject,
          size: EXEC_SIZE,
          beganAt,
          failed: (_: unknown, error: CmdopError) => failed(error),
        }
        const { maxBytes = MAX_RECORDING_BYTES, retryMs = RETRY_MS } = this.#options
        record.writeLive(new CastRecording({ ...options, onFailure: 'continue', maxBytes, retryMs }))
      }
    }
  }
}

/** Who, where and why, of a permit. */
export function subjectOf(permit: Permit, what: Pick<RecordingSubject, 'kind' | 'title' | 'reason'>): RecordingSubject {
  const { machineId, fleetId, principalId, principalKind, principalName, onBehalfOf, intentId, callId } = permit
  const who = { machineId, fleetId, principalId, principalKind, principalName, onBehalfOf, intentId }
  return {
    ...who,
    recordingId: recordingIdOf(intentId),
    kind: what.kind,
    subjectId: callId,
    title: what.title.slice(0, 500),
    reason: what.reason?.slice(0, 500) ?? null,
    startedAt: new Date().toISOString(),
  }
}
