/** What every call takes: aborting the signal ends it with `cancelled`. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What a change takes besides. */
export interface Repeatable extends Cancellable {
  /**
   * Makes the change one, however often it is sent: 1 to 128 visible ASCII characters, of your own for each change and known for a
   * day. With it the client tries again what may have got lost; without it only what the relay says it has not done.
   */
  readonly idempotencyKey?: string | undefined
}
