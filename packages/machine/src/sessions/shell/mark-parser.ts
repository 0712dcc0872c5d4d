/**
 * What the shell integration says between the bytes of the output:
 * `C` a command begins, `D` a command of ours has ended, `A` a prompt begins, `B` a prompt is complete, input is read.
 */
export type MarkKind = 'A' | 'B' | 'C' | 'D'

/** A mark of our integration: `ESC ] 133 ; <kind> ; cmdop=<nonce> ; <value> ; <directory> ; <nonce> BEL`. */
export interface Mark {
  readonly kind: MarkKind
  /** Of `C` the number of our command, of `B` and `D` the exit code of the last one; null where it has none. */
  readonly value: number | null
  /** Directory of the shell, the bytes as they are; null where the mark has none. */
  readonly directory: Buffer | null
}

/** Output, which is the parser's only until the next push, or a mark. */
export type OutputPiece = Uint8Array | Mark

/** Bytes of a mark at most: a path of 4096 newlines, each sent with a return, and what is around it. */
export const MAX_MARK_BYTES = 16 * 1024

const ESCAPE = 0x1b
const BEGIN = Buffer.from('\x1b]133;')
const AFTER_ESCAPE = BEGIN.subarray(1)

/**
 * Finds the marks with our nonce in the output of a terminal and takes them out; everything else, the marks of other
 * programs included, stays as it is. Pieces may be cut anywhere. Holds back at most {@link MAX_MARK_BYTES}.
 */
export class MarkParser {
  readonly #nonce: string
  readonly #end: Buffer
  #held: Buffer = Buffer.alloc(0)

  constructor(nonce: string) {
    this.#nonce = nonce
    this.#end = Buffer.from(`;${nonce}\x07`)
  }

  push(data: Uint8Array): OutputPiece[] {
    const input = Buffer.from(data.buffer, data.byteOffset, data.length)
    const whole = this.#held.length === 0 ? input : Buffer.concat([this.#held, input])
    const pieces: OutputPiece[] = []
    const rest = this.#split(whole, pieces)
    // A copy: the caller's bytes are only lent.
    this.#held = Buffer.from(whole.subarray(rest))
    return pieces
  }

  /** What is held back, because it could have become a mark. */
  flush(): Uint8Array {
    const held = this.#held
    this.#held = Buffer.alloc(0)
    return held
  }

  /** Where what may still become a mark begins. */
  #split(whole: Buffer, pieces: OutputPiece[]): number {
    let shown = 0
    for (let from = 0; ;) {
      const at = indexOfBegin(whole, from)
      if (at === -1) {
        const rest = Math.max(shown, whole.length - partialBegin(whole))
        if (rest > shown) pieces.push(whole.subarray(shown, rest))
        return rest
      }
      const found = this.#markAt(whole, at)
      if (found === undefined) {
        from = at + 1
        continue
      }
      if (at > shown) pieces.push(whole.subarray(shown, at))
      if (found === 'incomplete') return at
      pieces.push(found.mark)
      shown = found.end
      from = found.end
    }
  }

  #markAt(whole: Buffer, at: number): { mark: Mark; end: number } | 'incomplete' | undefined {
    const head = `X;cmdop=${this.#nonce};`
    const headAt = at + BEGIN.length
    const seen = whole.toString('latin1', headAt, headAt + head.length)
    if (seen.length > 0 && !'ABCD'.includes(seen.charAt(0))) return undefined
    if (!head.startsWith(`X${seen.slice(1)}`)) return seen.length === 0 ? 'incomplete' : undefined
    if (seen.length < head.length) return 'incomplete'
    const bodyAt = headAt + head.length
    const bodyEnd = whole.indexOf(this.#end, bodyAt)
    if (bodyEnd === -1) return whole.length - at < MAX_MARK_BYTES ? 'incomplete' : undefined
    const body = whole.subarray(bodyAt, bodyEnd)
    if (body.length > MAX_MARK_BYTES) return undefined
    return { mark: parseMark(seen.charAt(0) as MarkKind, body), end: bodyEnd + this.#end.length }
  }
}

export function isMark(piece: OutputPiece): piece is Mark {
  return 'kind' in piece
}

function parseMark(kind: MarkKind, body: Buffer): Mark {
  const separator = body.indexOf(';')
  const value = body.toString('latin1', 0, separator === -1 ? body.length : separator)
  const directory = separator === -1 ? Buffer.alloc(0) : withoutReturns(body.subarray(separator + 1))
  return {
    kind,
    value: /^\d{1,9}$/.test(value) ? Number(value) : null,
    directory: directory.length === 0 ? null : directory,
  }
}

/** The terminal puts a return before every newline, those in the name of a directory too. */
function withoutReturns(path: Buffer): Buffer {
  return Buffer.from(path.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

/** Looked for without its escape, of which coloured output is full: that is ten times as fast. */
function indexOfBegin(whole: Buffer, from: number): number {
  for (let at = from; ;) {
    at = whole.indexOf(AFTER_ESCAPE, at + 1)
    if (at === -1 || whole[at - 1] === ESCAPE) return Math.max(at - 1, -1)
  }
}

/** Bytes at the end that may be the beginning of a mark. */
function partialBegin(whole: Buffer): number {
  const escape = whole.lastIndexOf(ESCAPE)
  const length = whole.length - escape
  if (escape === -1 || length >= BEGIN.length) return 0
  return whole.subarray(escape).equals(BEGIN.subarray(0, length)) ? length : 0
}
