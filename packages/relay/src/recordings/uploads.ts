import { createHash } from 'node:crypto'
import {
  CmdopError,
  MAX_RECORDING_BYTES,
  type RecordingBatch,
  recordingIdOf,
  type RecordingManifest,
  type RecordingSubject,
} from '@cmdop/protocol'
import type { MachineRow, RecordingRow, Store } from '../store/store.ts'
import type { Blobs } from './blobs.ts'

/** Bytes of a recording that are hashed at once. */
const HASHED_AT_ONCE = 1024 * 1024

/** What machines send of their recordings. Everything may be sent twice, also to two relays at once. */
export class RecordingUploads {
  readonly #store: Store
  readonly #blobs: Blobs

  constructor({ store, blobs }: { store: Store; blobs: Blobs }) {
    this.#store = store
    this.#blobs = blobs
  }

  /** A recording begins, or goes on. Answers with the bytes that are stored of it. */
  async begin(machine: MachineRow, subject: RecordingSubject): Promise<number> {
    await this.#assertOwn(machine, subject)
    await this.#store.recordings.add([rowOf(subject, { blob: subject.recordingId, blobOffset: 0 })])
    return this.#storedBytes(await this.#own(machine, subject.recordingId))
  }

  /** Bytes of it, from an offset. Throws `conflict` for a gap, with what is stored. */
  async append(machine: MachineRow, part: { id: string; offset: number; bytes: Uint8Array }): Promise<number> {
    const row = await this.#own(machine, part.id)
    if (row.state !== 'open') return this.#storedBytes(row)
    if (part.offset + part.bytes.length > MAX_RECORDING_BYTES)
      throw new CmdopError('no_space', `A recording has at most ${MAX_RECORDING_BYTES} bytes.`)
    return this.#blobs.append(row.blob, part.offset, part.bytes)
  }

  /** It is over: `complete` when what is stored is what the machine wrote, otherwise `damaged`. */
  async finish(machine: MachineRow, id: string, manifest: RecordingManifest): Promise<number> {
    const row = await this.#own(machine, id)
    if (row.state !== 'open') return this.#storedBytes(row)
    const bytes = await this.#storedBytes(row)
    if (bytes < manifest.bytes) {
      throw new CmdopError('conflict', `Expected ${manifest.bytes} bytes before the manifest, have ${bytes}.`, {
        details: { storedBytes: bytes },
      })
    }
    const isWhole =
      manifest.recordingId === id && bytes === manifest.bytes && (await this.#hash(row, bytes)) === manifest.sha256
    await this.#store.recordings.finish(id, { state: isWhole ? 'complete' : 'damaged', manifest, bytes })
    return bytes
  }

  /** Short recordings that are over, in one blob. */
  async addBatch(machine: MachineRow, { batchId, items }: RecordingBatch): Promise<number> {
    await Promise.all(items.map(({ subject }) => this.#assertOwn(machine, subject)))
    const blob = `${machine.id}-${batchId}`
    const contents = items.map(({ content }) => Buffer.from(content))
    const whole = Buffer.concat(contents)
    await this.#blobs.append(blob, 0, whole)
    let blobOffset = 0
    const rows = items.map(({ subject, manifest }, index): RecordingRow => {
      const content = contents[index] ?? Buffer.alloc(0)
      const sha256 = createHash('sha256').update(content).digest('hex')
      const isWhole =
        manifest.recordingId === subject.recordingId && manifest.bytes === content.length && manifest.sha256 === sha256
      const row = rowOf(subject, { blob, blobOffset })
      blobOffset += content.length
      return { ...row, state: isWhole ? 'complete' : 'damaged', manifest, bytes: content.length }
    })
    await this.#store.recordings.add(rows)
    return whole.length
  }

  /** A machine records what it was permitted to do, under the id of that; nobody can say that others did it. */
  async #assertOwn(machine: MachineRow, subject: RecordingSubject): Promise<void> {
    const intent = await this.#store.audit.get(subject.intentId)
    const isOwn =
      subject.machineId === machine.id &&
      subject.recordingId === recordingIdOf(subject.intentId) &&
      intent?.kind === 'intent' &&
      intent.decision === 'allow' &&
      // Of the fleet in which it was done: the machine may be in another one by now.
      intent.fleetId === subject.fleetId &&
      intent.machineId === machine.id &&
      intent.principalId === subject.principalId &&
      intent.callId === subject.subjectId
    if (!isOwn) throw new CmdopError('permission', 'A machine records only what it was permitted to do itself.')
  }

  async #own(machine: MachineRow, id: string): Promise<RecordingRow> {
    const row = await this.#store.recordings.get(id)
    if (row?.machineId === machine.id) return row
    throw new CmdopError('not_found', 'This machine has no such recording here; say first what it is of.')
  }

  async #storedBytes(row: RecordingRow): Promise<number> {
    return row.bytes ?? this.#blobs.size(row.blob)
  }

  async #hash({ blob, blobOffset }: RecordingRow, bytes: number): Promise<string> {
    const hash = createHash('sha256')
    for (let done = 0; done < bytes;) {
      const part = await this.#blobs.read(blob, blobOffset + done, Math.min(HASHED_AT_ONCE, bytes - done))
      if (part.length === 0) break
      hash.update(part)
      done += part.length
    }
    return hash.digest('hex')
  }
}

function rowOf(subject: RecordingSubject, place: Pick<RecordingRow, 'blob' | 'blobOffset'>): RecordingRow {
  const { recordingId: id, fleetId, machineId, kind, subjectId, startedAt } = subject
  return {
    id,
    fleetId,
    machineId,
    kind,
    subjectId,
    startedAt,
    subject,
    state: 'open',
    manifest: null,
    ...place,
    bytes: null,
  }
}
