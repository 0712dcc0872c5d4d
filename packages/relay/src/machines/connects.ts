const HOUR_MS = 3_600_000

/** Hours that are counted: the one that runs, and those of the day before it. */
const HOURS = 25

/** How often a machine connected in an hour since 1970. */
type Hour = readonly [hour: number, times: number]

/** The count with another connection, as the row of a machine has it. */
export function countConnect(connects: string | null, now: number): string {
  const hour = Math.floor(now / HOUR_MS)
  const known = recent(connects, now)
  const times = (known.find(([each]) => each === hour)?.[1] ?? 0) + 1
  return JSON.stringify([...known.filter(([each]) => each !== hour), [hour, times]])
}

/** Times that a machine connected again in the last 24 hours, to the hour; its first connection of all is none. */
export function reconnects(connects: string | null, now: number): number {
  const total = recent(connects, now).reduce((sum, [, times]) => sum + times, 0)
  return Math.max(0, total - 1)
}

function recent(connects: string | null, now: number): Hour[] {
  const oldest = Math.floor(now / HOUR_MS) - HOURS + 1
  return connects === null ? [] : (JSON.parse(connects) as Hour[]).filter(([hour]) => hour >= oldest)
}
