/**
 * Reads once what is asked for several times in one turn of the event loop, such as who stands behind schedules that are due together:
 * nobody is answered with what stood before his own turn.
 */
export function oncePerTurn<Result>(read: (key: string) => Promise<Result>): (key: string) => Promise<Result> {
  const known = new Map<string, Promise<Result>>()
  return (key) => {
    const reading = known.get(key) ?? read(key)
    // Runs before anything else comes in: after the promises of this turn.
    if (known.size === 0) process.nextTick(() => known.clear())
    known.set(key, reading)
    return reading
  }
}
