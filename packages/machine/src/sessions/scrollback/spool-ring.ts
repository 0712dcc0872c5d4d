import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SCROLLBACK_BYTES, SCROLLBACK_MEMORY_BYTES } from '@cmdop/protocol'

/** What is kept, written and let go as a whole. */
export const BLOCK_BYTES = 64 * 1024

/** A whole number of blocks, so that none is written around the end. The one that memory fills counts, too. */
const RING_BYTES = SCROLLBACK_BYTES - SCROLLBACK_MEMORY_BYTES - BLOCK_BYTES

/** The latest blocks of a stream in a file of a fixed size, which has no name: it is gone with its daemon, however that ends. */
export class SpoolRing implements AsyncDisposable {
  readonly #folder: string
  #file: FileHandle | undefined
  #start = 0
  #end = 0
  #hasFailed = false
  #closed = false

  constructor(folder: string) {
    this.#folder = folder
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  get length(): number {
    return this.#end - this.#start
  }

  /** Whether the last block could not be written. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** Adds blocks. When they cannot be written, or are not the next ones, the ring holds nothing before them. Never rejects. */
  async append(offset: number, blocks: readonly Uint8Array[]): Promise<void> {
    const end = offset + blocks.length * BLOCK_BYTES
    if (offset !== this.#end) this.#start = offset
    // Gone before it is written over.
    this.#start = Math.max(this.#start, end - RING_BYTES)
    try {
      const file = (this.#file ??= await this.#open())
      const position = offset % RING_BYTES
      const untilWrap = (RING_BYTES - position) / BLOCK_BYTES
      await writeWhole(file, blocks.slice(0, untilWrap), position)
      await writeWhole(file, blocks.slice(untilWrap), 0)
      this.#hasFailed = false
    } catch {
      this.#hasFailed = true
      this.#start = end
    }
    this.#end = end
  }

  /** Bytes from `offset` on, to the end of their block; undefined for what is not here. */
  async read(offset: number): Promise<Uint8Array | undefined> {
    if (this.#file === undefined || offset < this.#start || offset >= this.#end) return undefined
    const length = BLOCK_BYTES - (offset % BLOCK_BYTES)
    const { buffer, bytesRead } = await this.#file
      .read(Buffer.allocUnsafeSlow(length), 0, length, offset % RING_BYTES)
      .catch(() => ({ buffer: EMPTY, bytesRead: 0 }))
    // It may have been written over meanwhile.
    return offset < this.#start || bytesRead < length ? undefined : buffer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#start = this.#end
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #open(): Promise<FileHandle> {
    if (this.#closed) throw new Error('The session is over.')
    const path = join(this.#folder, `${randomUUID()}.output`)
    const file = await open(path, 'wx+', 0o600)
    await unlink(path)
    return file
  }
}

const EMPTY = new Uint8Array(0)

/** A write that is cut short is one to a disk that is full. */
async function writeWhole(file: FileHandle, blocks: readonly Uint8Array[], position: number): Promise<void> {
  if (blocks.length === 0) return
  const wanted = blocks.length * BLOCK_BYTES
  const { bytesWritten } = await file.writev(blocks, position)
  if (bytesWritten < wanted) throw new Error('The disk took only a part.')
}
