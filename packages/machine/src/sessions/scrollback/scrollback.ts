import { SCROLLBACK_MEMORY_BYTES } from '@cmdop/protocol'
import { BLOCK_BYTES, SpoolRing } from './spool-ring.ts'

/** Bytes that wait in memory for a slow disk at most, beyond what is there anyway; then the oldest are let go. */
const MAX_UNSPOOLED_BYTES = 8 * 1024 * 1024

/** Blocks that are written to the file at once at most. */
const MAX_SPOOLED_BLOCKS = 16

interface Block {
  readonly offset: number
  readonly data: Uint8Array
  length: number
}

/**
 * The output of a session by byte offsets: its end in memory, what is older in a file, and what is older than that gone.
 * A disk that is full or slow costs the older part only.
 */
export class Scrollback implements AsyncDisposable {
  readonly #ring: SpoolRing
  /** All but the last are full. */
  #blocks: Block[] = []
  #end = 0
  #spooling = false

  /** The file is made in this folder when it is first needed, and has no name there. */
  constructor(folder: string) {
    this.#ring = new SpoolRing(folder)
  }

  /** Bytes of output so far. */
  get end(): number {
    return this.#end
  }

  /** The first byte that is kept. */
  get start(): number {
    return this.#ring.length > 0 && this.#ring.end === this.#memoryStart ? this.#ring.start : this.#memoryStart
  }

  /** Whether the older part is kept, too. */
  get isSpooled(): boolean {
    return !this.#ring.hasFailed
  }

  /** Bytes that wait for the disk. */
  get waitingBytes(): number {
    return Math.max(0, this.#end - this.#memoryStart - SCROLLBACK_MEMORY_BYTES)
  }

  get #memoryStart(): number {
    return this.#blocks[0]?.offset ?? this.#end
  }

  /** Copies output in. The answer is what was appended, in pieces that will not change. */
  append(data: Uint8Array): readonly Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (let done = 0; done < data.length;) {
      const block = this.#openBlock()
      const piece = data.subarray(done, done + BLOCK_BYTES - block.length)
      block.data.set(piece, block.length)
      pieces.push(block.data.subarray(block.length, block.length + piece.length))
      block.length += piece.length
      this.#end += piece.length
      done += piece.length
    }
    this.#spoolOldest()
    return pieces
  }

  has(offset: number): boolean {
    return offset >= this.start && offset <= this.#end
  }

  /** Bytes from `offset` on that are in memory, one piece; undefined at the end and for what is older. */
  at(offset: number): Uint8Array | undefined {
    const index = Math.floor((offset - this.#memoryStart) / BLOCK_BYTES)
    const block = offset < this.#memoryStart ? undefined : this.#blocks[index]
    if (block === undefined || offset >= block.offset + block.length) return undefined
    return block.data.subarray(offset - block.offset, block.length)
  }

  /** The same, from memory or file. Undefined at the end, and for what is not kept (any more). */
  async read(offset: number): Promise<Uint8Array | undefined> {
    return this.at(offset) ?? (offset < this.#memoryStart ? await this.#ring.read(offset) : undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#blocks = []
    await this.#ring[Symbol.asyncDispose]()
  }

  #openBlock(): Block {
    const last = this.#blocks.at(-1)
    if (last !== undefined && last.length < BLOCK_BYTES) return last
    const block = { offset: this.#end, data: Buffer.allocUnsafeSlow(BLOCK_BYTES), length: 0 }
    this.#blocks.push(block)
    return block
  }

  /** The oldest go to the file together; they leave the memory once they are there. */
  #spoolOldest(): void {
    const excess = this.waitingBytes
    if (excess > MAX_UNSPOOLED_BYTES) this.#blocks.shift()
    const oldest = this.#blocks.slice(0, Math.min(MAX_SPOOLED_BLOCKS, Math.floor(excess / BLOCK_BYTES)))
    const offset = oldest[0]?.offset
    if (this.#spooling || offset === undefined) return
    this.#spooling = true
    const data = oldest.map((block) => block.data)
    void this.#ring.append(offset, data).then(() => {
      this.#spooling = false
      const end = offset + data.length * BLOCK_BYTES
      while (this.#memoryStart < end && this.#blocks.length > 1) this.#blocks.shift()
      this.#spoolOldest()
    })
  }
}
