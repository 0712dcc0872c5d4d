import { CmdopError, SNAPSHOT_HEADER_BYTES, type TerminalSize } from '@cmdop/protocol'

/** Bytes of a snapshot at most: a million cells, each with colours of its own. */
const MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024

/** A painted screen, and where output goes on after it. */
export interface Snapshot {
  readonly data: Uint8Array
  readonly size: TerminalSize
  readonly offset: number
}

/** Puts snapshots together from the pieces in which they arrive. */
export class SnapshotReader {
  readonly #header = new Uint8Array(SNAPSHOT_HEADER_BYTES)
  #headerBytes = 0
  #body: Uint8Array | undefined
  #bodyBytes = 0

  /** Takes a piece; the snapshot that is complete with it, if one is. Throws `protocol` for one that is too large. */
  take(piece: Uint8Array): Snapshot | undefined {
    const head = piece.subarray(0, SNAPSHOT_HEADER_BYTES - this.#headerBytes)
    this.#header.set(head, this.#headerBytes)
    this.#headerBytes += head.length
    if (this.#headerBytes < SNAPSHOT_HEADER_BYTES) return undefined
    const view = new DataView(this.#header.buffer)
    this.#body ??= newBody(view.getUint32(8))
    const rest = piece.subarray(head.length)
    if (rest.length > this.#body.length - this.#bodyBytes) throw malformed()
    this.#body.set(rest, this.#bodyBytes)
    this.#bodyBytes += rest.length
    return this.#bodyBytes === this.#body.length ? this.#finish(view, this.#body) : undefined
  }

  #finish(view: DataView, data: Uint8Array): Snapshot {
    this.#headerBytes = 0
    this.#bodyBytes = 0
    this.#body = undefined
    const size = { columns: view.getUint16(12), rows: view.getUint16(14) }
    return { data, size, offset: Number(view.getBigUint64(0)) }
  }
}

function newBody(bytes: number): Uint8Array {
  if (bytes > MAX_SNAPSHOT_BYTES) throw malformed()
  return new Uint8Array(bytes)
}

function malformed(): CmdopError {
  return new CmdopError('protocol', 'The machine sent a snapshot of another form; is its daemon of another version?')
}
