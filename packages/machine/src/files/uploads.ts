import {
  type Channel,
  CmdopError,
  type FileWriteParams,
  type FileWriteReady,
  type FileWritten,
  UPLOAD_KEPT_MS,
  fileError,
} from '@cmdop/protocol'
import { abandoned } from '../answer.ts'
import { lookAt, versionOf } from './file-entry.ts'
import type { FileCaller } from './local-files.ts'
import { withFileError } from './with-file-error.ts'
import type { TemporaryFiles } from './temporary-files.ts'
import { commitFile, findTarget, openPartial, receiveContent, type Target } from './write-file.ts'

/** Results that are kept for a client that lost its connection before it heard: as many at most. */
const MAX_FINISHED = 10_000

interface Finished {
  readonly written: FileWritten
  readonly path: Buffer
  readonly at: number
}

interface Active {
  readonly channel: Channel
  readonly over: Promise<void>
  /** Another channel goes on with it. */
  isReplaced: boolean
}

/** Serves `file.write`. What a lost connection left is gone on with under the same call id of the same caller. */
export class Uploads {
  readonly #temporary: TemporaryFiles
  readonly #active = new Map<string, Active>()
  readonly #finished = new Map<string, Finished>()
  #isClosing = false

  constructor(temporary: TemporaryFiles) {
    this.#temporary = temporary
  }

  async serve(channel: Channel, params: FileWriteParams, { fleetId, principalId, callId }: FileCaller): Promise<void> {
    const key = JSON.stringify([fleetId, principalId, callId])
    await this.#takeOver(key)
    const over = Promise.withResolvers<void>()
    const active: Active = { channel, over: over.promise, isReplaced: false }
    this.#active.set(key, active)
    try {
      if (!(await this.#repeatAnswer(key, channel))) await this.#write(key, active, params)
    } finally {
      if (this.#active.get(key) === active) this.#active.delete(key)
      over.resolve()
    }
  }

  /** The daemon stops: what is half-written is left for its next start. */
  close(): void {
    this.#isClosing = true
    this.#temporary.close()
  }

  /** The connection that was lost may not be known to be: whoever comes later is the one. */
  async #takeOver(key: string): Promise<void> {
    for (let former = this.#active.get(key); former !== undefined; former = this.#active.get(key)) {
      former.isReplaced = true
      former.channel.reset(new CmdopError('conflict', 'Another connection took over this upload.'))
      await former.over
    }
  }

  /** The file was put in place, and its client did not hear. One that has changed since is written anew. */
  async #repeatAnswer(key: string, channel: Channel): Promise<boolean> {
    const done = this.#finished.get(key)
    const found = done === undefined ? undefined : await lookAt(done.path).catch(() => undefined)
    if (done === undefined || found === undefined || versionOf(found) !== done.written.version) return false
    channel.onControl = () => {}
    channel.accept()
    await channel.control({ type: 'ready', offset: done.written.size } satisfies FileWriteReady)
    for await (const _ of channel) throw new CmdopError('conflict', 'The upload with this call id is complete.')
    await channel.end(done.written)
    return true
  }

  async #write(key: string, active: Active, params: FileWriteParams): Promise<void> {
    const { channel } = active
    const target = await findTarget(params)
    const path = await this.#temporary.claim(target.folder, key)
    try {
      const written = await receive(channel, path, { target, params })
      this.#remember(key, { written, path: target.path, at: Date.now() })
      await this.#temporary.release(path)
      await channel.end(written)
    } catch (cause) {
      const error = fileError(cause, target.path.toString())
      if (active.isReplaced || this.#isClosing || isResumable(error, params)) this.#temporary.keepForNow(path)
      else await this.#temporary.discard(path)
      throw error
    }
  }

  #remember(key: string, finished: Finished): void {
    this.#finished.delete(key)
    this.#finished.set(key, finished)
    for (const [id, { at }] of this.#finished) {
      if (this.#finished.size <= MAX_FINISHED && finished.at - at < UPLOAD_KEPT_MS) break
      this.#finished.delete(id)
    }
  }
}

async function receive(
  channel: Channel,
  path: Buffer,
  { target, params }: { target: Target; params: FileWriteParams },
): Promise<FileWritten> {
  const partial = await withFileError(target.folder, () => openPartial(path, abandoned(channel)))
  await using _ = partial.file
  const commit = await receiveContent(channel, partial)
  if (commit === undefined)
    throw new CmdopError('cancelled', 'The content ended without a commit; nothing was written.')
  return await commitFile({ ...partial, path }, target, { params, commit })
}

/** A lost connection may come back; who gives up does only when it said so. */
function isResumable({ code }: CmdopError, params: FileWriteParams): boolean {
  if (code === 'connection' || code === 'slow_peer' || code === 'unavailable') return true
  return params.keepPartial && (code === 'cancelled' || code === 'timeout')
}
