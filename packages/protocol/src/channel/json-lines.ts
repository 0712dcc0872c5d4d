import { CmdopError } from '../errors.ts'

/** Bytes of one line at most, unless said otherwise. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

const encoder = new TextEncoder()
const NEWLINE = 10

/** A value as one line. */
export function jsonLine(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value)}\n`)
}

/** Reads values back from lines that arrive in pieces. */
export class JsonLines {
  readonly #maxBytes: number
  readonly #decoder = new TextDecoder()
  #text = ''

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** The values of the lines that are whole now. Throws `protocol` for one that is no JSON, or too long. */
  push(data: Uint8Array): unknown[] {
    const isWhole = data.includes(NEWLINE)
    this.#text += this.#decoder.decode(data, { stream: true })
    if (this.#text.length > this.#maxBytes) throw new CmdopError('protocol', 'Expected a shorter line of JSON.')
    if (!isWhole) return []
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    return lines.map(parseLine)
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new CmdopError('protocol', 'Expected a line of JSON.', { cause })
  }
}
