import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { CmdopError, type RecordingManifest, type RecordingSubject, toCmdopError } from '@cmdop/protocol'
import { type Spool, type SpoolFile, spoolFull } from './spool.ts'

/** What {@link CastFile.end} does not know. */
type CastEnd = Pick<RecordingManifest, 'durationMs' | 'exitCode' | 'integrity'>

/** An asciicast file in the spool while it is written: whole lines or nothing, one write at a time. */
export class CastFile {
  readonly #spool: Spool
  readonly #file: SpoolFile
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')

  private constructor(spool: Spool, file: SpoolFile, handle: FileHandle) {
    this.#spool = spool
    this.#file = file
    this.#handle = handle
  }

  /** Makes the file of a recording with its first line. Throws `recording_failed`; then there is none. */
  static async create(spool: Spool, subject: RecordingSubject, header: Buffer): Promise<CastFile> {
    const file = spool.add(`${subject.recordingId}.cast`, subject)
    let handle: FileHandle | undefined
    try {
      handle = await open(file.path, 'wx', 0o600)
      const cast = new CastFile(spool, file, handle)
      await cast.write(header)
      return cast
    } catch (cause) {
      await handle?.close()
      await spool.drop(file)
      throw toCmdopError(cause, 'recording_failed', 'The file of the recording cannot be made.')
    }
  }

  /** Bytes of whole lines so far. */
  get bytes(): number {
    return this.#file.bytes
  }

  /** Adds lines. Throws `recording_failed` when there is no room for them; then nothing of them is in the file. */
  async write(data: Buffer): Promise<void> {
    if (!this.#spool.hasRoom(data.length)) throw spoolFull()
    try {
      for (let done = 0; done < data.length;) {
        const { bytesWritten } = await this.#handle.write(data, done, data.length - done, this.bytes + done)
        done += bytesWritten
      }
    } catch (cause) {
      await this.#handle.truncate(this.bytes).catch(() => {})
      throw new CmdopError('recording_failed', 'The recording cannot be written; is the disk full?', { cause })
    }
    this.#hash.update(data)
    this.#spool.wrote(this.#file, data.length)
  }

  /** The recording is over. */
  async end({ durationMs, exitCode, integrity }: CastEnd): Promise<void> {
    await this.#handle.close()
    await this.#spool.complete(this.#file, {
      recordingId: this.#file.name.replace(/\.cast$/, ''),
      bytes: this.bytes,
      sha256: this.#hash.digest('hex'),
      endedAt: new Date().toISOString(),
      durationMs,
      exitCode,
      integrity,
    })
  }
}
