import { access, open, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CmdopError,
  type ErrorCode,
  errnoOf,
  isCmdopError,
  MAX_RECORDING_CHUNK_BYTES,
  RecordingAcknowledged,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { MachineRequests, RelayRequest } from './machine-requests.ts'
import { recoverRecording } from './recover-recording.ts'
import type { Spool, SpoolFile } from './spool.ts'

/** Bounds of the wait after a failure, in milliseconds: a random time up to a bound that doubles. */
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 15_000

/**
 * What is over waits a random time up to so many times longer than what still grows: the machines of a fleet that ran a
 * command together do not come to the relay together.
 */
const SPREAD = 4

/** Milliseconds in which a daemon that stops may still send; the rest waits for its next start. */
const LAST_PASS_MS = 1000

/** The relay will never take this, however often it is sent. */
const FOREVER: readonly ErrorCode[] = ['validation', 'permission', 'conflict', 'frame_too_large', 'no_space']

/** The relay takes nothing at all now. */
const NOT_NOW: readonly ErrorCode[] = ['connection', 'auth', 'unavailable', 'timeout']

export interface UploaderOptions {
  readonly spool: Spool
  readonly requests: Pick<MachineRequests, 'send'>
  readonly log: Logger
  /** Milliseconds in which what there is to send is collected. */
  readonly everyMs: number
  /** Makes what was collected a file that may be sent. */
  readonly seal: () => Promise<void>
}

/**
 * Sends everything in the spool to the relay, one request at a time: recordings in chunks by offset while they grow, so that
 * a chunk that is sent twice is stored once; short ones in batches.
 */
export class Uploader {
  readonly #options: UploaderOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  /** Recordings that the relay knows. */
  readonly #announced = new WeakSet<SpoolFile>()
  #more = Promise.withResolvers<void>()

  constructor(options: UploaderOptions) {
    this.#options = options
    options.spool.onMore = () => this.#more.resolve()
    if (options.spool.waitingBytes > 0) this.#more.resolve()
    this.#running = this.#run(this.#stop.signal)
  }

  /** Sends what it still can in a second. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#pass(AbortSignal.timeout(LAST_PASS_MS)).catch(() => {})
  }

  async #run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#more.resolve(), { once: true })
    let bound = FIRST_WAIT_MS
    while (!signal.aborted) {
      await this.#more.promise
      await sleep(this.#gatherMs(), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      this.#more = Promise.withResolvers()
      try {
        await this.#pass(signal)
        bound = FIRST_WAIT_MS
      } catch (err) {
        if (signal.aborted) return
        this.#more.resolve()
        this.#options.log.warn({ err, waitingBytes: this.#options.spool.waitingBytes }, 'recordings could not be sent')
        await sleep(Math.random() * bound, undefined, { signal }).catch(() => {})
        bound = Math.min(bound * 2, LONGEST_WAIT_MS)
      }
    }
  }

  #gatherMs(): number {
    const { everyMs, spool } = this.#options
    return spool.files.some(({ isSealed, name }) => !isSealed && name.startsWith('rec_'))
      ? everyMs
      : everyMs * (1 + SPREAD * Math.random())
  }

  /** Sends everything once. A file that cannot be sent holds up no other: the first such error is thrown at the end. */
  async #pass(signal: AbortSignal): Promise<void> {
    const { spool, seal } = this.#options
    await seal()
    const errors: unknown[] = []
    for (const file of spool.files) {
      try {
        await this.#sendFile(file, signal)
      } catch (err) {
        if (signal.aborted || (isCmdopError(err) && NOT_NOW.includes(err.code))) throw err
        errors.push(err)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  async #sendFile(file: SpoolFile, signal: AbortSignal): Promise<void> {
    const { spool, log } = this.#options
    try {
      if (file.isRefused) await spool.refuse(file)
      else await (file.name.startsWith('bat_') ? this.#sendBatch(file, signal) : this.#sendRecording(file, signal))
    } catch (err) {
      if (await isGone(file, err)) {
        log.error({ err, file: file.name }, 'a recording was deleted before it was sent')
        await spool.drop(file)
      } else if (isCmdopError(err) && FOREVER.includes(err.code)) {
        log.error({ err, file: file.name }, 'the relay refused a recording; it is kept on this machine only')
        await spool.refuse(file)
      } else throw err
    }
  }

  async #sendBatch(file: SpoolFile, signal: AbortSignal): Promise<void> {
    if (!file.isSealed) return
    const lines = (await readFile(file.path)).subarray(0, file.bytes).toString().split('\n').slice(0, -1)
    const batchId = file.name.replace('.jsonl', '')
    if (lines.length > 0)
      await this.#sendJson(
        'POST',
        '/api/recordings/batch',
        `{"batchId":"${batchId}","items":[${lines.join(',')}]}`,
        signal,
      )
    await this.#options.spool.done(file)
  }

  async #sendRecording(file: SpoolFile, signal: AbortSignal): Promise<void> {
    const { spool } = this.#options
    const subject = file.subject ?? (await recoverRecording(spool, file))
    if (subject === undefined) return
    if (!this.#announced.has(file)) {
      const stored = await this.#sendJson('POST', '/api/recordings', JSON.stringify(subject), signal)
      this.#announced.add(file)
      spool.sent(file, stored)
    }
    try {
      await this.#sendContent(file, `/api/recordings/${subject.recordingId}`, signal)
    } catch (error) {
      // Another relay than before, or one with an older disk: what it has is asked again.
      if (!isCmdopError(error) || (error.code !== 'conflict' && error.code !== 'not_found')) throw error
      this.#announced.delete(file)
      throw new CmdopError('server', 'The relay has less of a recording than it said.', { cause: error })
    }
    if (file.manifest !== undefined && file.sentBytes === file.bytes) await spool.done(file)
  }

  async #sendContent(file: SpoolFile, path: string, signal: AbortSignal): Promise<void> {
    while (file.sentBytes < file.bytes) {
      const offset = file.sentBytes
      const body = await readPart(file.path, offset, Math.min(file.bytes - offset, MAX_RECORDING_CHUNK_BYTES))
      const request = {
        method: 'PUT',
        path: `${path}/content?offset=${offset}`,
        type: 'application/octet-stream',
      } as const
      const stored = await this.#send({ ...request, body }, signal)
      if (stored <= offset) throw new CmdopError('validation', 'The relay takes no more of a recording.')
      this.#options.spool.sent(file, stored)
    }
    if (file.manifest !== undefined)
      await this.#sendJson('PUT', `${path}/manifest`, JSON.stringify(file.manifest), signal)
  }

  #sendJson(method: 'POST' | 'PUT', path: string, json: string, signal: AbortSignal): Promise<number> {
    return this.#send({ method, path, body: Buffer.from(json), type: 'application/json' }, signal)
  }

  /** Bytes that the relay has now. */
  async #send(request: RelayRequest, signal: AbortSignal): Promise<number> {
    return RecordingAcknowledged.parse(await this.#options.requests.send(request, signal)).storedBytes
  }
}

async function isGone({ path }: SpoolFile, error: unknown): Promise<boolean> {
  if (errnoOf(error) !== 'ENOENT') return false
  return access(path).then(
    () => false,
    (reason: unknown) => errnoOf(reason) === 'ENOENT',
  )
}

async function readPart(path: string, offset: number, length: number): Promise<Buffer> {
  await using handle = await open(path)
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset)
  return buffer.subarray(0, bytesRead)
}
