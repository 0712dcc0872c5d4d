import { createHash, type Hash } from 'node:crypto'
import { RECORDED_EXEC_BYTES, type RecordingOmission } from '@cmdop/protocol'
import type { OutputStream } from './cast-encoder.ts'

/** Pieces of head and of tail that are kept at most: tiny ones cost more than their bytes. */
export const MAX_PIECES = 8192

/** A piece of output; `time` in milliseconds from the beginning. */
export interface OutputPiece {
  readonly time: number
  readonly stream: OutputStream
  readonly data: Uint8Array
}

/**
 * The output of a command as its recording keeps it: the first {@link RECORDED_EXEC_BYTES} and as many of its end, pieces
 * as they were read, not copied. It is hashed only once it is longer than the head, so that a short one costs nothing.
 */
export class ExecOutput {
  readonly head: OutputPiece[] = []
  #headBytes = 0
  #tail: OutputPiece[] = []
  /** Of the tail, the first piece that is kept. */
  #first = 0
  #tailBytes = 0
  #hash: Hash | undefined
  readonly #bytes = { stdout: 0, stderr: 0 }

  /** Bytes of head and tail. */
  get keptBytes(): number {
    return this.#headBytes + this.#tailBytes
  }

  add(piece: OutputPiece): void {
    this.#bytes[piece.stream] += piece.data.length
    if (this.#hash !== undefined) return this.#addToTail(piece, this.#hash)
    const room = this.head.length < MAX_PIECES ? RECORDED_EXEC_BYTES - this.#headBytes : 0
    const data = piece.data.subarray(0, room)
    if (data.length > 0) this.head.push({ ...piece, data })
    this.#headBytes += data.length
    if (data.length === piece.data.length) return undefined
    this.#hash = createHash('sha256')
    for (const each of this.head) this.#hash.update(each.data)
    return this.#addToTail({ ...piece, data: piece.data.subarray(data.length) }, this.#hash)
  }

  /** What comes after the head: what is left out, if anything, then the tail. Once. */
  rest(): { omission: RecordingOmission | undefined; tail: OutputPiece[] } {
    const tail = this.#tail.slice(this.#first)
    const over = Math.max(0, this.#tailBytes - RECORDED_EXEC_BYTES)
    const [first] = tail
    if (first !== undefined && over > 0) tail[0] = { ...first, data: first.data.subarray(over) }
    const { stdout: stdoutBytes, stderr: stderrBytes } = this.#bytes
    const bytes = stdoutBytes + stderrBytes - this.#headBytes - this.#tailBytes + over
    if (this.#hash === undefined || bytes === 0) return { omission: undefined, tail }
    return { omission: { bytes, whole: { stdoutBytes, stderrBytes, sha256: this.#hash.digest('hex') } }, tail }
  }

  /** Keeps whole pieces, and so up to one piece more than is needed. */
  #addToTail(piece: OutputPiece, hash: Hash): void {
    hash.update(piece.data)
    this.#tail.push(piece)
    this.#tailBytes += piece.data.length
    for (let first = this.#tail[this.#first]; first !== undefined; first = this.#tail[this.#first]) {
      const isNeeded = this.#tailBytes - first.data.length < RECORDED_EXEC_BYTES
      if (isNeeded && this.#tail.length - this.#first <= MAX_PIECES) break
      this.#tailBytes -= first.data.length
      this.#first += 1
    }
    if (this.#first < MAX_PIECES) return
    this.#tail = this.#tail.slice(this.#first)
    this.#first = 0
  }
}
