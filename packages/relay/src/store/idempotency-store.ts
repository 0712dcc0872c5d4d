/** A change that a caller has named by an `Idempotency-Key`. */
export interface IdempotencyRow {
  readonly principalId: string
  readonly key: string
  /** Keyed SHA-256 of the call, hex: the same key for another call is a mistake of the caller. */
  readonly digest: string
  readonly at: string
  /** The HTTP status of its answer; null while it is under way, or was when a relay ended. */
  readonly status: number | null
  /** The body of its answer; null where there is none, or it is not kept because it holds a secret or is large. */
  readonly body: string | null
}

/** What callers have named by a key, for as long as a call may come again. */
export interface IdempotencyStore {
  /** Adds it. The row that is there already, however many come at once; undefined: this one is the first. */
  claim(row: Pick<IdempotencyRow, 'principalId' | 'key' | 'digest' | 'at'>): Promise<IdempotencyRow | undefined>
  finish(row: Pick<IdempotencyRow, 'principalId' | 'key' | 'status' | 'body'>): Promise<void>
  /** Nothing was done: the key may be used again. */
  release(row: Pick<IdempotencyRow, 'principalId' | 'key'>): Promise<void>
  /** Forgets what was added before this time, some of it at a time. */
  forget(before: string): Promise<void>
}
