/** What a part of the facts is read with. */
export interface FactsSource {
  /** Node's name of the platform: `linux`, `darwin`, `win32`. */
  platform: NodeJS.Platform
  /** The folder the kernel's files are read from on Linux: `/proc`. */
  procRoot: string
  /** Aborted when the reader gave up or the part's time is over. */
  signal: AbortSignal
  /** Notes what was left out of a part that could otherwise be read, such as one disk of several, and the error. */
  report: (fact: string, error: unknown) => void
}

/**
 * Time between the two readings of a counter, in milliseconds. Under 200 ms a kernel tick (10 ms) weighs too much;
 * every reading of the facts waits this long.
 */
export const sampleMs = 250
