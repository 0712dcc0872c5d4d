import { randomBytes } from 'node:crypto'
import { appendFile, truncate } from 'node:fs/promises'
import {
  CmdopError,
  MAX_BATCHED_RECORDING_BYTES,
  MAX_RECORDING_CHUNK_BYTES,
  type RecordingBatch,
  toCmdopError,
} from '@cmdop/protocol'
import { CastFile } from './cast-file.ts'
import type { ExecRecord } from './exec-record.ts'
import { type Spool, type SpoolFile, spoolFull } from './spool.ts'

/** Milliseconds in which commands that end are collected for one write. Until then they are in the journal of calls. */
const COLLECT_MS = 500

/** Bytes of output of ended commands that may wait to be written; what comes then is not recorded. */
const WAITING_BYTES = 64 * 1024 * 1024

/** Records in one batch at most. */
const MAX_ITEMS = 1000

type BatchItem = RecordingBatch['items'][number]

export interface ExecBatchesOptions {
  readonly spool: Spool
  /** The recordings of so many commands are lost. */
  readonly failed: (records: number, error: CmdopError) => void
}

/**
 * Writes the records of ended commands: short ones together in one file, as lines that are items of a batch as they are,
 * so that thousands of commands are a few files, here and at the relay.
 */
export class ExecBatches {
  readonly #options: ExecBatchesOptions
  #ended: ExecRecord[] = []
  /** Resolves with what is collected now. */
  #collected: PromiseWithResolvers<void> | undefined
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing = Promise.resolve()
  #batch: SpoolFile | undefined
  #items = 0

  constructor(options: ExecBatchesOptions) {
    this.#options = options
  }

  /** Resolves when it is written, or lost. */
  async add(record: ExecRecord): Promise<void> {
    if (this.#waitingBytes + record.bytes > WAITING_BYTES) {
      const error = new CmdopError('recording_failed', 'More commands end than their recordings can be written.')
      return this.#options.failed(1, error)
    }
    this.#ended.push(record)
    this.#waitingBytes += record.bytes
    this.#timer ??= setTimeout(() => void this.flush(), COLLECT_MS)
    this.#collected ??= Promise.withResolvers()
    await this.#collected.promise
  }

  /** Writes everything that has ended, one write after another. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const records = this.#ended.splice(0)
    const collected = this.#collected
    this.#collected = undefined
    this.#writing = this.#writing.then(() => this.#write(records)).finally(() => collected?.resolve())
    return this.#writing
  }

  /** Adds nothing more to what is written: it may be sent. */
  async seal(): Promise<void> {
    await this.#writing
    if (this.#batch !== undefined) this.#batch.isSealed = true
  }

  async #write(records: readonly ExecRecord[]): Promise<void> {
    const items: Buffer[] = []
    for (const record of records) {
      this.#waitingBytes -= record.bytes
      const { content, manifest } = record.encode()
      if (manifest.bytes > MAX_BATCHED_RECORDING_BYTES) await this.#writeAlone(record, { content, manifest })
      else items.push(lineOf({ subject: record.subject, manifest, content: content.toString() }))
    }
    while (items.length > 0) await this.#writeItems(items)
  }

  /** As many as the batch takes. */
  async #writeItems(items: Buffer[]): Promise<void> {
    const batch = this.#openBatch(items[0]?.length ?? 0)
    let bytes = 0
    let count = 0
    while (count < items.length && this.#items < MAX_ITEMS) {
      if (count > 0 && batch.bytes + bytes + (items[count]?.length ?? 0) > MAX_RECORDING_CHUNK_BYTES) break
      bytes += items[count]?.length ?? 0
      count += 1
      this.#items += 1
    }
    const lines = Buffer.concat(items.splice(0, count))
    await this.#append(batch, lines).catch((cause: unknown) => {
      batch.isSealed = true
      this.#options.failed(count, failure(cause))
    })
  }

  #openBatch(nextBytes: number): SpoolFile {
    const { spool } = this.#options
    let batch = this.#batch
    const isFull =
      batch === undefined || this.#items >= MAX_ITEMS || batch.bytes + nextBytes > MAX_RECORDING_CHUNK_BYTES
    if (batch === undefined || batch.isSealed || isFull) {
      if (batch !== undefined) batch.isSealed = true
      batch = spool.add(`bat_${randomBytes(16).toString('hex')}.jsonl`)
      this.#items = 0
    }
    this.#batch = batch
    return batch
  }

  async #append(batch: SpoolFile, lines: Buffer): Promise<void> {
    const { spool } = this.#options
    if (!spool.hasRoom(lines.length)) throw spoolFull()
    try {
      await appendFile(batch.path, lines, { mode: 0o600 })
    } catch (error) {
      // Nobody reads further than what was written whole, also after a restart.
      await truncate(batch.path, batch.bytes).catch(() => {})
      throw error
    }
    spool.wrote(batch, lines.length)
  }

  async #writeAlone(record: ExecRecord, { content, manifest }: ReturnType<ExecRecord['encode']>): Promise<void> {
    try {
      const file = await CastFile.create(this.#options.spool, record.subject, content)
      await file.end(manifest)
    } catch (cause) {
      this.#options.failed(1, failure(cause))
    }
  }
}

function lineOf(item: BatchItem): Buffer {
  return Buffer.from(`${JSON.stringify(item)}\n`)
}

function failure(cause: unknown): CmdopError {
  return toCmdopError(cause, 'recording_failed', 'The recording of a command cannot be written.')
}
