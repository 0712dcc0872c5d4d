import { describe, expect, test } from 'vitest'
import { parseDueTimetable, parseTimetable } from './timetable.ts'

function instants(expression: string, timezone: string, from: string, count: number): string[] {
  const timetable = parseTimetable(expression, timezone)
  const found: string[] = []
  for (let at = timetable.next(Date.parse(from)); at !== undefined && found.length < count; at = timetable.next(at))
    found.push(new Date(at).toISOString())
  return found
}

describe('a timetable', () => {
  test('has five fields, or six with seconds', () => {
    expect(instants('*/20 9 * * MON', 'UTC', '2026-11-21T00:00:00Z', 3)).toEqual([
      '2026-11-23T09:00:00.000Z',
      '2026-11-23T09:20:00.000Z',
      '2026-11-23T09:40:00.000Z',
    ])
    expect(instants('*/30 * * * * *', 'UTC', '2026-11-21T00:00:00.999Z', 2)).toEqual([
      '2026-11-21T00:00:30.000Z',
      '2026-11-21T00:01:00.000Z',
    ])
    expect(instants('@daily', 'America/New_York', '2026-11-21T12:00:00Z', 1)).toEqual(['2026-11-22T05:00:00.000Z'])
  })

  test('gives the instant after, also where that is less than a second away', () => {
    expect(instants('* * * * * *', 'UTC', '2026-11-21T00:00:00.001Z', 1)).toEqual(['2026-11-21T00:00:01.000Z'])
    expect(instants('* * * * * *', 'UTC', '2026-11-21T00:00:01.000Z', 1)).toEqual(['2026-11-21T00:00:02.000Z'])
  })

  test('is due as the clock jumps, where the change to summer time skips its time of day', () => {
    expect(instants('30 2 * * *', 'Europe/Berlin', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
  })

  test('is due once, the first time, where the change back repeats its time of day', () => {
    expect(instants('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })

  test('goes on at its pace through both changes where it is due every half hour', () => {
    for (const from of ['2026-03-29T00:10:00Z', '2026-10-25T00:10:00Z']) {
      const found = instants('*/30 * * * *', 'Europe/Berlin', from, 6).map((at) => Date.parse(at))
      expect(found.slice(1).map((at, index) => at - (found[index] ?? 0))).toEqual(
        Array.from({ length: 5 }, () => 1_800_000),
      )
    }
  })

  test.each([
    ['hello', 'UTC', 'expected five fields'],
    ['* * *', 'UTC', 'expected five fields'],
    ['2026-12-01T00:00:00', 'UTC', 'expected five fields'],
    ['61 * * * *', 'UTC', 'Invalid value for minute: 61'],
    ['@sometimes', 'UTC', "The cron expression '@sometimes'"],
    ['0 0 30 2 *', 'UTC', 'never comes'],
    ['0 0 0 1 1 * 2020', 'UTC', 'never comes'],
    ['0 0 * * *', 'Mars/Phobos', 'Expected a time zone'],
    ['* '.repeat(99_999), 'UTC', 'expected five fields'],
  ])('that cannot be is refused: %s in %s', (expression, timezone, why) => {
    const startedAt = performance.now()
    expect(() => parseDueTimetable(expression, timezone, Date.parse('2026-11-21T00:00:00Z'))).toThrow(
      expect.objectContaining({ code: 'validation', message: expect.stringContaining(why) }),
    )
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })
})
