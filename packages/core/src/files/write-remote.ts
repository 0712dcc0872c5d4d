import { ANSWER_LANE, type Channel, CmdopError, FileWriteReady, FileWritten } from '@cmdop/protocol'
import { newCallId, parseAnswer } from '../answers.ts'
import type { Sha256Hash } from '../platform.ts'
import type { Content } from './content.ts'
import { cancelWith, type FileCalls } from './file-calls.ts'
import type { FileWriteOptions, MachinePath } from './machine-files.ts'
import { wirePath } from './machine-path.ts'
import { Resumption } from './resumption.ts'

export interface RemoteWrite extends FileWriteOptions {
  readonly path: MachinePath
  readonly content: Content
  /** The same one goes on with what an earlier client left half-written. */
  readonly callId?: string | undefined
  readonly keepPartial?: boolean
  /** False: a link at the path is replaced. */
  readonly follow?: boolean
  /** Bytes that the machine has by now. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/** Writes a file. A lost connection is taken up from what the machine has. Both ends compare the hash of the whole. */
export async function writeRemote(calls: FileCalls, write: RemoteWrite): Promise<FileWritten> {
  const writing = new Writing(calls, write)
  const resumption = new Resumption(write.signal)
  try {
    for (;;) {
      try {
        return await writing.run(() => resumption.progressed())
      } catch (error) {
        await resumption.after(error)
      }
    }
  } finally {
    write.content.close?.()
  }
}

class Writing {
  readonly #calls: FileCalls
  readonly #write: RemoteWrite
  readonly #callId: string
  readonly #hash: Sha256Hash | undefined
  #hashed = 0

  constructor(calls: FileCalls, write: RemoteWrite) {
    this.#calls = calls
    this.#write = write
    this.#callId = write.callId ?? newCallId()
    this.#hash = calls.createHash()
  }

  async run(progressed: () => void): Promise<FileWritten> {
    const ready = Promise.withResolvers<number>()
    const channel = await this.#open((offset) => ready.resolve(offset))
    progressed()
    using _ = cancelWith(channel, this.#write.signal)
    const lost = Promise.withResolvers<never>()
    channel.over.catch(lost.reject)
    try {
      const offset = await Promise.race([ready.promise, lost.promise])
      // A source that is silent does not keep us from noticing.
      const size = await Promise.race([this.#send(channel, { offset, progressed }), lost.promise])
      const sha256 = this.#hash?.copy().digest()
      await channel.control({ type: 'commit', size, ...(sha256 === undefined ? {} : { sha256 }) })
      await channel.end()
      return parseAnswer(FileWritten, await channel.finished)
    } catch (cause) {
      // Of the source, or of the caller; a channel that is over stays as it is.
      channel.reset(new CmdopError('cancelled', 'The content was not sent to its end.'))
      throw cause
    }
  }

  /** Sends everything from `offset` on. What was not hashed yet is read, also where the machine has it already. */
  async #send(channel: Channel, { offset, progressed }: { offset: number; progressed: () => void }): Promise<number> {
    const hashed = this.#hash === undefined ? offset : this.#hashed
    let at = Math.min(offset, hashed)
    for await (const piece of this.#write.content.from(at)) {
      const end = at + piece.length
      if (end > this.#hashed) {
        this.#hash?.update(piece.subarray(Math.max(0, this.#hashed - at)))
        this.#hashed = end
      }
      if (end > offset) {
        await channel.send(ANSWER_LANE, piece.subarray(Math.max(0, offset - at)))
        progressed()
      }
      at = end
      this.#write.onProgress?.(at)
    }
    return at
  }

  #open(ready: (offset: number) => void): Promise<Channel> {
    const { path, content, callId: _, onProgress: __, signal, ...options } = this.#write
    const params = {
      ...options,
      path: wirePath(path),
      ...(content.size === undefined ? {} : { size: content.size }),
    }
    return this.#calls.open({ method: 'file.write', params, callId: this.#callId, signal }, (channel) => {
      channel.onControl = (message) => ready(parseAnswer(FileWriteReady, message).offset)
    })
  }
}
