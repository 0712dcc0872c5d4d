/**
 * Contents that grow at their end, by name. A promise that resolves means durable: it survives a loss of power.
 * Implemented once now (files); every implementation passes `blobs-conformance.ts`.
 *
 * Names are made of letters, digits, `_` and `-`. Errors: `conflict` for a gap, with what is stored in
 * `details.storedBytes`; `unavailable` when it cannot be written or read now.
 */
export interface Blobs {
  /**
   * Writes bytes at an offset, where the content ends or before: bytes that are there already stay, so that the same piece
   * sent twice is stored once, whoever sends it at the same moment. Answers with the length that is stored.
   */
  append(name: string, offset: number, bytes: Uint8Array): Promise<number>
  /** Up to `length` bytes from an offset; fewer where the content ends. */
  read(name: string, offset: number, length: number): Promise<Uint8Array>
  /** Bytes that are stored; 0 where there is nothing of that name. */
  size(name: string): Promise<number>
}
