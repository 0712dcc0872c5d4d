import { dataCost } from './frame.ts'
import { MAX_WINDOW } from './limits.ts'

/** A piece of content as it was appended, or the rest of one. */
export interface ContentPiece {
  readonly lane: number
  readonly data: Uint8Array
  /** Position of its first byte in the whole content. */
  readonly offset: number
}

interface KeptPiece extends ContentPiece {
  /** What all pieces cost up to the beginning of this one, see {@link dataCost}. */
  readonly costBefore: number
}

/** Bytes that a socket is read in at once. A piece of more than half of it is kept in a block of this size, which is used again. */
const BLOCK_BYTES = 64 * 1024

/** Dropped pieces after which the array is made anew. */
const COMPACT_AFTER = 1024

/**
 * The end of what one side sends, kept so that after a lost connection it goes on without a gap from where the other side
 * says it is. Credit of at most {@link MAX_WINDOW} can be under way, so content that cost as much is kept behind what was
 * sent: whatever is older, the other side has. Small pieces count as what they cost, which bounds their number too.
 */
export class ResendBuffer {
  #pieces: KeptPiece[] = []
  /** Those that are free. */
  readonly #blocks: ArrayBufferLike[] = []
  #first = 0
  #end = 0
  #cost = 0

  /** Bytes of content so far. */
  get end(): number {
    return this.#end
  }

  append(lane: number, given: Uint8Array): void {
    if (given.length === 0) return
    const data = fillsBlock(given) ? this.#copy(given) : given
    this.#pieces.push({ lane, data, offset: this.#end, costBefore: this.#cost })
    this.#end += data.length
    this.#cost += dataCost(data.length + 1)
  }

  /** Whether everything from `offset` on is still here. */
  has(offset: number): boolean {
    return offset >= (this.#pieces[this.#first]?.offset ?? this.#end) && offset <= this.#end
  }

  /** The piece that begins at `offset`, or the rest of the one it lies in; undefined at the end. */
  at(offset: number): ContentPiece | undefined {
    const piece = offset >= this.#end ? undefined : this.#find(offset)
    if (piece === undefined || piece.offset === offset) return piece
    return { lane: piece.lane, data: piece.data.subarray(offset - piece.offset), offset }
  }

  /** What the content from `offset` on costs: how far appending is ahead of sending. */
  costFrom(offset: number): number {
    return offset >= this.#end ? 0 : this.#cost - (this.#find(offset)?.costBefore ?? this.#cost)
  }

  /** Everything before `offset` was sent: lets go of what cannot be under way any more. */
  sentUpTo(offset: number): void {
    const sentCost = this.#cost - this.costFrom(offset)
    for (let next = this.#pieces[this.#first + 1]; next !== undefined; next = this.#pieces[this.#first + 1]) {
      if (sentCost - next.costBefore < MAX_WINDOW) break
      this.#drop()
    }
    if (this.#first >= COMPACT_AFTER) this.#compact()
  }

  /** The other side has said that it has everything before `offset`: lets go of it. */
  takenUpTo(offset: number): void {
    for (let piece = this.#pieces[this.#first]; piece !== undefined; piece = this.#pieces[this.#first]) {
      if (piece.offset + piece.data.length > offset) break
      this.#drop()
    }
    this.#compact()
  }

  /** What lives for long in a buffer of its own costs the garbage collector more than all the rest of a stream. */
  #copy(data: Uint8Array): Uint8Array {
    const copy = new Uint8Array(this.#blocks.pop() ?? new ArrayBuffer(BLOCK_BYTES), 0, data.length)
    copy.set(data)
    return copy
  }

  #drop(): void {
    const data = this.#pieces[this.#first]?.data
    if (data !== undefined && fillsBlock(data)) this.#blocks.push(data.buffer)
    this.#first += 1
  }

  #compact(): void {
    if (this.#first === this.#pieces.length) this.#blocks.length = 0
    if (this.#first < COMPACT_AFTER && this.#first < this.#pieces.length) return
    this.#pieces = this.#pieces.slice(this.#first)
    this.#first = 0
  }

  /** The piece in which `offset` lies, by bisection: there may be thousands. */
  #find(offset: number): KeptPiece | undefined {
    let low = this.#first
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#pieces[middle]?.offset ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return this.#pieces[low]
  }
}

function fillsBlock({ length }: Uint8Array): boolean {
  return length > BLOCK_BYTES / 2 && length <= BLOCK_BYTES
}
