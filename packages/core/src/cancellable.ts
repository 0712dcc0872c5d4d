/** What every call takes: aborting the signal ends it with `cancelled`. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}
