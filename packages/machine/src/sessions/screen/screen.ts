import { SNAPSHOT_HEADER_BYTES, type TerminalSize } from '@cmdop/protocol'
import type { Scrollback } from '../scrollback/scrollback.ts'
import type { ScreenHandle, ScreenThread } from './screen-thread.ts'

/** Milliseconds in which output is collected for the screen: nobody sees it unless somebody comes. */
const COLLECT_MS = 10

/** Bytes that are on their way to the thread at most. */
const MAX_UNDER_WAY_BYTES = 512 * 1024

/** A screen at an offset of the output. */
export interface Snapshot {
  readonly offset: number
  readonly size: TerminalSize
  /** Header and paint, as they go on the snapshot lane. */
  readonly message: Uint8Array
}

export interface SnapshotOptions {
  /** With lines above the screen. */
  readonly history: boolean
}

interface Resize {
  readonly offset: number
  readonly size: TerminalSize
}

/** The screen of one session, fed from its scrollback. */
export class Screen {
  readonly #thread: ScreenThread
  readonly #scrollback: Scrollback
  /** It is less far behind than it was. */
  onProgress: () => void = () => {}
  #handle: ScreenHandle | undefined
  #size: TerminalSize
  #resizes: Resize[] = []
  #fed = 0
  #painted = 0
  #timer: NodeJS.Timeout | undefined
  #feeding = false
  /** With history, and without. */
  readonly #latest = new Map<boolean, Promise<Snapshot>>()
  #closed = false

  constructor(thread: ScreenThread, scrollback: Scrollback, size: TerminalSize) {
    this.#thread = thread
    this.#scrollback = scrollback
    this.#size = size
  }

  /** Bytes of output that are not on it yet. */
  get behind(): number {
    return this.#scrollback.end - this.#painted
  }

  /** There is more output. */
  more(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#feed()
    }, COLLECT_MS)
  }

  /** What comes from here on is for another size. */
  resize(size: TerminalSize): void {
    this.#resizes.push({ offset: this.#scrollback.end, size })
    this.#latest.clear()
  }

  /**
   * The screen with all output up to an offset near the end; those who ask for the same get the same. Rejects with
   * `server` when it was lost meanwhile.
   */
  async snapshot({ history }: SnapshotOptions = { history: true }): Promise<Snapshot> {
    await this.#feed()
    const latest = this.#latest.get(history) ?? this.#take(history)
    this.#latest.set(history, latest)
    return latest
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#handle?.close()
  }

  async #take(history: boolean): Promise<Snapshot> {
    const offset = this.#fed
    const { size, paint } = await this.#open().paint(history)
    return { offset, size, message: encodeSnapshot({ offset, size, paint }) }
  }

  /** Sends what there is, no more than may be under way. */
  async #feed(): Promise<void> {
    if (this.#feeding || this.#closed) return
    this.#feeding = true
    try {
      while (!this.#closed && this.#fed - this.#painted < MAX_UNDER_WAY_BYTES) {
        this.#resizeHere()
        const data = this.#scrollback.at(this.#fed) ?? (await this.#scrollback.read(this.#fed))
        if (data !== undefined) this.#send(data)
        else if (this.#fed >= this.#scrollback.end) return
        else this.#startAt(this.#scrollback.start)
      }
    } finally {
      this.#feeding = false
    }
  }

  #send(data: Uint8Array): void {
    const piece = data.subarray(0, (this.#resizes[0]?.offset ?? Number.POSITIVE_INFINITY) - this.#fed)
    this.#open().write(piece)
    this.#fed += piece.length
    this.#latest.clear()
  }

  #resizeHere(): void {
    for (let next = this.#resizes[0]; next !== undefined && next.offset <= this.#fed; next = this.#resizes[0]) {
      this.#resizes.shift()
      this.#size = next.size
      this.#handle?.resize(next.size)
    }
  }

  #open(): ScreenHandle {
    this.#handle ??= this.#thread.open(this.#size, {
      written: (bytes) => {
        this.#painted += bytes
        this.onProgress()
        if (this.behind > 0) void this.#feed()
      },
      // Not from the same output again, which may be what it died of.
      lost: () => this.#startAt(this.#scrollback.end),
    })
    return this.#handle
  }

  /** An empty screen: what was before is not known (any more). */
  #startAt(offset: number): void {
    this.#handle?.close()
    this.#handle = undefined
    this.#latest.clear()
    this.#fed = offset
    this.#painted = offset
    this.onProgress()
  }
}

function encodeSnapshot({
  offset,
  size,
  paint,
}: {
  offset: number
  size: TerminalSize
  paint: Uint8Array
}): Uint8Array {
  const message = Buffer.allocUnsafe(SNAPSHOT_HEADER_BYTES + paint.length)
  message.writeBigUInt64BE(BigInt(offset), 0)
  message.writeUInt32BE(paint.length, 8)
  message.writeUInt16BE(size.columns, 12)
  message.writeUInt16BE(size.rows, 14)
  message.set(paint, SNAPSHOT_HEADER_BYTES)
  return message
}
