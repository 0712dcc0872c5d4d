/** How fast a recording plays. */
export interface Pace {
  readonly speed: number
  /** Milliseconds of silence at most, before the speed counts. */
  readonly idleLimitMs: number
}

/**
 * When events are due, in milliseconds from the beginning of the replay, for their times in seconds of the recording.
 * By a clock and not by waits, so that a slow terminal does not make the rest late too.
 */
export function createPace({ speed, idleLimitMs }: Pace): (time: number) => number {
  let before = 0
  let due = 0
  return (time) => {
    due += Math.min(Math.max(0, time - before) * 1000, idleLimitMs) / speed
    before = Math.max(before, time)
    return due
  }
}
