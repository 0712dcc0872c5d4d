import { CmdopError } from '@cmdop/protocol'
import { Cron } from 'croner'

/** When a schedule is due. */
export interface Timetable {
  /** The first instant after this one, both in milliseconds since 1970; undefined: there is none any more. */
  next(after: number): number | undefined
}

/** Timetables that are kept. */
const MAX_KNOWN = 10_000

const FORM = /^(@[a-z]+|[^\s@]+( +[^\s@]+){4,6})$/i

/**
 * Reads five fields (minute, hour, day of month, month, day of week), six with seconds in front, seven with a year at the end, or a word
 * such as `@daily`. A time of day that the change to summer time skips is due when the clock jumps; one that the change back repeats is
 * due the first time. Throws `validation`, and says what is wrong.
 */
export function parseTimetable(expression: string, timezone: string): Timetable {
  const pattern = expression.trim()
  if (!FORM.test(pattern))
    throw wrong(expression, 'expected five fields (minute hour day month weekday), six with seconds, or @daily')
  try {
    const cron = new Cron(pattern, { paused: true, timezone })
    return { next: (after) => cron.nextRun(new Date(after))?.getTime() }
  } catch (cause) {
    throw wrong(expression, reasonOf(cause), cause)
  }
}

/** Timetables by their words. Many schedules have the same, and are due at the same instant, which is worked out once. */
export class Timetables {
  readonly #known = new Map<string, Timetable>()

  /** {@link parseTimetable}. */
  of(expression: string, timezone: string): Timetable {
    const key = `${timezone} ${expression}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    const timetable = withLast(parseTimetable(expression, timezone))
    this.#known.set(key, timetable)
    return timetable
  }
}

function withLast(timetable: Timetable): Timetable {
  let last: { after: number; next: number | undefined } | undefined
  return {
    next: (after) => {
      if (last?.after !== after) last = { after, next: timetable.next(after) }
      return last.next
    },
  }
}

/** {@link parseTimetable}, of something that comes at all after now. */
export function parseDueTimetable(expression: string, timezone: string, now: number): Timetable {
  assertTimezone(timezone)
  const timetable = parseTimetable(expression, timezone)
  if (timetable.next(now) === undefined) throw wrong(expression, 'that instant never comes; look at day and month')
  return timetable
}

function assertTimezone(timezone: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch (cause) {
    throw new CmdopError('validation', `Expected a time zone such as Europe/Berlin or UTC, got '${timezone}'.`, {
      cause,
    })
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/^CronPattern: /, '').slice(0, 200) : 'it is not understood'
}

function wrong(expression: string, why: string, cause?: unknown): CmdopError {
  return new CmdopError('validation', `The cron expression '${expression}': ${why}.`, { cause })
}
