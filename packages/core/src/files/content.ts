import { CmdopError, ResendBuffer } from '@cmdop/protocol'
import type { FileData } from './machine-files.ts'

/** What is sent to a machine, from any offset that it may ask for after a lost connection. */
export interface Content {
  /** Bytes of all of it, where that is known. */
  readonly size?: number | undefined
  from(offset: number): AsyncIterable<Uint8Array>
  close?(): void
}

/** Content of what a caller gives. */
export function contentOf(data: FileData): Content {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) return new PassingContent(data)
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  return { size: bytes.length, from: (offset) => once(bytes.subarray(offset)) }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

/** Pieces that come once. Their end is kept, as much as can be under way. */
class PassingContent implements Content {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #kept = new ResendBuffer()
  #isDone = false
  #reading: Promise<void> | undefined

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  async *from(offset: number): AsyncGenerator<Uint8Array> {
    if (!this.#kept.has(offset)) throw gone()
    for (let at = offset; ;) {
      const piece = this.#kept.at(at)
      if (piece !== undefined) {
        yield piece.data
        at += piece.data.length
        this.#kept.sentUpTo(at)
      } else if (this.#isDone) return
      else await this.#read()
    }
  }

  /** Not waited for: a generator that waits for something returns only after that. */
  close(): void {
    this.#isDone = true
    this.#iterator.return?.().catch(() => {})
  }

  /** One at a time: a sender that was left because its connection is lost may still wait here. */
  #read(): Promise<void> {
    this.#reading ??= this.#take().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #take(): Promise<void> {
    const next = await this.#iterator.next()
    if (next.done === true) this.#isDone = true
    else this.#kept.append(1, next.value)
  }
}

function gone(): CmdopError {
  return new CmdopError(
    'lost',
    'The machine lost what it had of the content, which cannot be sent again; write it anew.',
  )
}
