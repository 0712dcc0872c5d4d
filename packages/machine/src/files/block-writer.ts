import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** Bytes of the first block, and of the others: a small file costs little. */
const FIRST_BLOCK_BYTES = 64 * 1024
const BLOCK_BYTES = 512 * 1024

/**
 * Writes content that comes in small pieces as large blocks, one under way while the next one fills: whoever awaits
 * `add` is as fast as the disk. The hash is of what was written.
 */
export class BlockWriter {
  readonly #file: FileHandle
  readonly #hash: Hash
  #position: number
  #block: Buffer = Buffer.allocUnsafeSlow(FIRST_BLOCK_BYTES)
  #spare: Buffer | undefined
  #filled = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle, hash: Hash, position: number) {
    this.#file = file
    this.#hash = hash
    this.#position = position
  }

  /** Bytes of the file, with what is not written yet. */
  get end(): number {
    return this.#position + this.#filled
  }

  /** Undefined while there is room; otherwise resolves when there is. Rejects with the error of a write. */
  add(data: Uint8Array): Promise<void> | undefined {
    if (this.#filled + data.length > this.#block.length) return this.#addOver(data)
    this.#block.set(data, this.#filled)
    this.#filled += data.length
    return undefined
  }

  /** Everything so far is in the file. */
  async flush(): Promise<void> {
    await this.#write()
    await this.#writing
  }

  async #addOver(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length;) {
      const room = this.#block.length - this.#filled
      if (room === 0) await this.#write()
      const piece = data.subarray(offset, offset + (this.#block.length - this.#filled))
      this.#block.set(piece, this.#filled)
      this.#filled += piece.length
      offset += piece.length
    }
  }

  async #write(): Promise<void> {
    await this.#writing
    const block = this.#block.subarray(0, this.#filled)
    const position = this.#position
    this.#position += block.length
    this.#filled = 0
    const spare = this.#spare
    this.#spare = this.#block
    this.#block = spare?.length === BLOCK_BYTES ? spare : Buffer.allocUnsafeSlow(BLOCK_BYTES)
    this.#writing = writeAll(this.#file, block, position)
    this.#writing.catch(() => {})
    this.#hash.update(block)
  }
}

async function writeAll(file: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let offset = 0; offset < block.length;) {
    const { bytesWritten } = await file.write(block, offset, block.length - offset, position + offset)
    offset += bytesWritten
  }
}
