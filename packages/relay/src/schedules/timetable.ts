import { CmdopError } from '@cmdop/protocol'
import { Cron } from 'croner'

/** When a schedule is due. */
export interface Timetable {
  /** The first instant after this one, both in milliseconds since 1970; undefined: there is none any more. */
  next(after: number): number | undefined
}

const FORM = /^(@[a-z]+|[^\s@]+( +[^\s@]+){4,6})$/i

/**
 * Reads five fields (minute, hour, day of month, month, day of week), six with seconds in front, seven with a year at the end, or a word
 * such as `@daily`. A time of day that the change to summer time skips is due when the clock jumps; one that the change back repeats is
 * due the first time. Throws `validation`, and says what is wrong.
 */
export function parseTimetable(expression: string, timezone: string): Timetable {
  assertTimezone(timezone)
  const pattern = expression.trim()
  if (!FORM.test(pattern))
    throw wrong(expression, 'expected five fields (minute hour day month weekday), six with seconds, or @daily')
  try {
    const cron = new Cron(pattern, { paused: true, timezone })
    return { next: (after) => cron.nextRun(new Date(after))?.getTime() }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : 'it is not understood'
    throw wrong(expression, message.slice(0, 200), cause)
  }
}

/** {@link parseTimetable}, of something that comes at all after now. */
export function parseDueTimetable(expression: string, timezone: string, now: number): Timetable {
  const timetable = parseTimetable(expression, timezone)
  if (timetable.next(now) === undefined) throw wrong(expression, 'that instant never comes; look at day and month')
  return timetable
}

function assertTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch (cause) {
    throw new CmdopError('validation', `Expected a time zone such as Europe/Berlin or UTC, got '${timezone}'.`, {
      cause,
    })
  }
}

function wrong(expression: string, why: string, cause?: unknown): CmdopError {
  return new CmdopError('validation', `The cron expression '${expression}': ${why}.`, { cause })
}
