import { NO_AUDIT_HASH } from './row.ts'
import type { AuditHead } from './statements.ts'

const encoder = new TextEncoder()
const AFTER_PREVIOUS = encoder.encode('","row":{')
const HASH_LENGTH = NO_AUDIT_HASH.length

/** How far a chain was followed. */
export class ChainState {
  readonly chain: string
  sequence = 0
  hash = NO_AUDIT_HASH
  /** Line of its last row; 0 for one that a statement names. */
  line = 0
  readonly #beginning: Uint8Array

  constructor(chain: string, fleetId: string) {
    this.chain = chain
    this.#beginning = encoder.encode(
      `{"chain":${JSON.stringify(chain)},"fleetId":${JSON.stringify(fleetId)},"previous":"`,
    )
  }

  get head(): AuditHead {
    return { chain: this.chain, sequence: this.sequence, hash: this.hash }
  }

  advance(hash: string, line: number): void {
    this.sequence += 1
    this.hash = hash
    this.line = line
  }

  /**
   * Whether a line begins and ends exactly as the next row must. It needs no parser: what is between is covered by the
   * hash, and nothing there can stand for the beginning or the end.
   */
  isNext(line: Uint8Array): boolean {
    const beginning = this.#beginning
    const afterHash = beginning.length + HASH_LENGTH
    const end = `},"sequence":${this.sequence + 1},"version":1}`
    if (line.length < afterHash + AFTER_PREVIOUS.length + end.length) return false
    return (
      hasBytes(line, 0, beginning) &&
      hasText(line, beginning.length, this.hash) &&
      hasBytes(line, afterHash, AFTER_PREVIOUS) &&
      hasText(line, line.length - end.length, end)
    )
  }
}

function hasBytes(line: Uint8Array, from: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index += 1) if (line[from + index] !== wanted[index]) return false
  return true
}

/** `wanted` is ASCII. */
function hasText(line: Uint8Array, from: number, wanted: string): boolean {
  for (let index = 0; index < wanted.length; index += 1) {
    if (line[from + index] !== wanted.charCodeAt(index)) return false
  }
  return true
}
