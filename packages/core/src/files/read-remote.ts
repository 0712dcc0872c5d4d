import { ANSWER_LANE, type Channel, CmdopError, FileReadEnd, FileReadStarted } from '@cmdop/protocol'
import { parseAnswer } from '../answers.ts'
import type { Sha256Hash } from '../platform.ts'
import { cancelWith, type FileCalls } from './file-calls.ts'
import type { MachinePath } from './machine-files.ts'
import { shownPath, wirePath } from './machine-path.ts'
import { Resumption } from './resumption.ts'

/** Bytes of the pieces that a file is read in. */
const PIECE_BYTES = 256 * 1024

const NONE = new Uint8Array(0)

export interface RemoteRead {
  readonly path: MachinePath
  readonly offset?: number | undefined
  readonly length?: number | undefined
  /** A hash over what lies before `offset`: with it the whole is checked, and not only what is read. */
  readonly before?: Sha256Hash | undefined
  /** Where the machine's hash begins; it is not compared, but told. */
  readonly hashFrom?: number | undefined
  /** Only this content; see {@link FileReadStarted}. */
  readonly version?: string | undefined
  /** Two pieces take turns: one is good until the next but one is asked for. Otherwise each is the reader's to keep. */
  readonly reuse?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface RemoteReadEnd {
  readonly size: number
  /** The file was written to while it was read. */
  readonly hasChanged: boolean
  /** The machine's hash of what was read, or of what it was asked to hash. */
  readonly sha256: string
}

/**
 * Content of a file in pieces. A lost connection is taken up where it broke, in the same
 * content or with `conflict`. What was read is checked against the machine's hash at the end: `integrity`.
 */
export async function* readRemote(
  calls: FileCalls,
  read: RemoteRead,
): AsyncGenerator<Uint8Array, RemoteReadEnd, undefined> {
  const reading = new Reading(calls, read)
  const resumption = new Resumption(read.signal)
  for (;;) {
    try {
      return yield* reading.run(() => resumption.progressed())
    } catch (error) {
      await resumption.after(error)
    }
  }
}

class Reading {
  readonly #calls: FileCalls
  readonly #read: RemoteRead
  readonly #start: number
  readonly #hash: Sha256Hash | undefined
  #position: number
  #version: string | undefined
  #size = 0
  #piece = NONE
  /** The last two that were given away. */
  readonly #used: Uint8Array<ArrayBuffer>[] = []
  #filled = 0

  constructor(calls: FileCalls, read: RemoteRead) {
    this.#calls = calls
    this.#read = read
    this.#start = read.offset ?? 0
    this.#position = this.#start
    this.#version = read.version
    this.#hash = read.before ?? calls.createHash()
  }

  /** Reads on one channel, from where the last one broke. */
  async *run(progressed: () => void): AsyncGenerator<Uint8Array, RemoteReadEnd, undefined> {
    const channel = await this.#open()
    progressed()
    using _ = cancelWith(channel, this.#read.signal)
    try {
      for await (const { lane, data } of channel) {
        if (lane !== ANSWER_LANE) throw new CmdopError('protocol', 'The machine sent content on another lane.')
        progressed()
        for (let rest = data; rest.length > 0;) {
          rest = this.#fill(rest)
          if (this.#filled === this.#piece.length) yield this.#full()
        }
      }
      const end = parseAnswer(FileReadEnd, await channel.finished)
      if (this.#filled > 0) yield this.#full()
      await channel.end()
      this.#check(end)
      return { size: end.size, hasChanged: end.version !== this.#version, sha256: end.sha256 }
    } finally {
      // Of a reader that left; of a channel that is over it changes nothing.
      channel.reset(new CmdopError('cancelled', 'The reader left before the end.'))
    }
  }

  /** Takes what there is room for; what is left is for the next piece. */
  #fill(data: Uint8Array): Uint8Array {
    if (this.#piece.length === 0) this.#piece = this.#newPiece(data.length)
    const part = data.subarray(0, this.#piece.length - this.#filled)
    this.#piece.set(part, this.#filled)
    this.#filled += part.length
    this.#position += part.length
    return data.subarray(part.length)
  }

  #full(): Uint8Array {
    const piece = this.#piece.subarray(0, this.#filled)
    this.#hash?.update(piece)
    if (this.#read.reuse === true) this.#used.push(this.#piece)
    this.#piece = NONE
    this.#filled = 0
    return piece
  }

  /** A small file needs no large piece. */
  #newPiece(arrived: number): Uint8Array<ArrayBuffer> {
    const left = this.#size === 0 ? PIECE_BYTES : this.#size - this.#position
    const bytes = Math.max(arrived, Math.min(PIECE_BYTES, left))
    const former = this.#used.length < 2 ? undefined : this.#used.shift()
    return former !== undefined && former.length >= bytes ? former : new Uint8Array(bytes)
  }

  #check({ sha256 }: FileReadEnd): void {
    const found = this.#read.hashFrom === undefined ? this.#hash?.digest() : undefined
    if (found === undefined || found === sha256) return
    throw new CmdopError('integrity', `${shownPath(this.#read.path)} arrived as another content than was sent.`, {
      details: { sent: sha256, arrived: found },
    })
  }

  #open(): Promise<Channel> {
    const { path, length, before, signal } = this.#read
    const params = {
      path: wirePath(path),
      offset: this.#position,
      hashFrom: this.#read.hashFrom ?? (before === undefined ? this.#start : 0),
      ...(length === undefined ? {} : { length: Math.max(0, this.#start + length - this.#position) }),
      ...(this.#version === undefined ? {} : { ifVersion: this.#version }),
    }
    return this.#calls.open({ method: 'file.read', params, signal }, (channel) => {
      channel.onControl = (message) => {
        const { size, version } = parseAnswer(FileReadStarted, message)
        this.#size = size
        this.#version = version
      }
    })
  }
}
