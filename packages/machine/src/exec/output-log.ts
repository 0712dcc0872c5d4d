import { MAX_WINDOW } from '@cmdop/protocol'

/** A piece of output as it was read from a pipe. */
export interface OutputPiece {
  readonly lane: number
  readonly data: Uint8Array
  /** Position in the output of both streams together. */
  readonly offset: number
}

/** Bytes that are read from a command ahead of what is sent; then its pipes are left to fill, and it waits. */
export const READ_AHEAD_BYTES = 256 * 1024

/**
 * The end of a command's output, kept so that a client that lost its connection goes on without a gap. A sender can have
 * at most {@link MAX_WINDOW} bytes under way, so that much is kept behind what was sent: whatever is older, the client has.
 */
export class OutputLog {
  #pieces: OutputPiece[] = []
  #end = 0

  /** Bytes of output so far. */
  get end(): number {
    return this.#end
  }

  append(lane: number, data: Uint8Array): void {
    this.#pieces.push({ lane, data, offset: this.#end })
    this.#end += data.length
    if (this.#pieces.length % 64 === 0) this.#forget()
  }

  /** Whether everything from `offset` on is still here. */
  has(offset: number): boolean {
    return offset >= (this.#pieces[0]?.offset ?? this.#end) && offset <= this.#end
  }

  /** The piece that begins at `offset`, or the rest of the one it lies in; undefined at the end. */
  at(offset: number): OutputPiece | undefined {
    const piece = this.#pieces[this.#indexOf(offset)]
    if (piece === undefined || offset >= this.#end) return undefined
    if (piece.offset === offset) return piece
    return { lane: piece.lane, data: piece.data.subarray(offset - piece.offset), offset }
  }

  /** The last piece that begins at or before `offset`, by bisection. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#pieces[middle]?.offset ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  #forget(): void {
    const keep = this.#end - MAX_WINDOW - 2 * READ_AHEAD_BYTES
    const first = this.#pieces.findIndex((piece) => piece.offset + piece.data.length > keep)
    if (first > 0) this.#pieces = this.#pieces.slice(first)
  }
}
