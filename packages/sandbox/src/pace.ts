/** Longest stretch of work that holds up the daemon's event loop. */
const SLICE_MS = 10

/** Lets other work of the process in between; `await pace()` costs nothing until a slice is over. */
export function createPace(signal?: AbortSignal): () => Promise<void> | undefined {
  let since = performance.now()
  return () => {
    if (performance.now() - since < SLICE_MS) return undefined
    signal?.throwIfAborted()
    return new Promise((resolve) => {
      setImmediate(() => {
        since = performance.now()
        resolve()
      })
    })
  }
}
