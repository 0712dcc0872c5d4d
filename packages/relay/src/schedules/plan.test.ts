import { expect, test } from 'vitest'
import { scheduleRow } from '../store/conformance/schedule-rows.ts'
import type { ScheduleWork } from '../store/schedule-store.ts'
import { type DueSchedule, planOf } from './plan.ts'

const START = Date.parse('2026-11-21T12:00:00.000Z')

function each(change: Partial<ScheduleWork> = {}): DueSchedule {
  const row = scheduleRow('fleet', 'principal')
  const work = { ...row.work, grace_seconds: 2, ...change }
  return { ...row, cronExpr: '* * * * * *', work, nextRunAt: new Date(START).toISOString() }
}

const after = (seconds: number) => new Date(START + seconds * 1000).toISOString()

test('an instant that has come is a run, and the next one follows it', () => {
  const { runs, nextRunAt } = planOf(each(), START + 3)
  expect(runs).toMatchObject([
    { status: 'pending', trigger: 'time', dueAt: after(0), createdAt: after(0), isTold: true },
  ])
  expect(nextRunAt).toBe(after(1))
})

test('instants that are too late are missed, and those within the grace run', () => {
  const { runs, nextRunAt } = planOf(each(), START + 4500)
  expect(runs.map(({ status, dueAt }) => [status, dueAt])).toEqual([
    ['missed', after(0)],
    ['missed', after(1)],
    ['missed', after(2)],
    ['pending', after(3)],
    ['pending', after(4)],
  ])
  expect(runs[0]).toMatchObject({ error: expect.stringContaining(after(0)), work: null, finishedAt: after(4.5) })
  expect(nextRunAt).toBe(after(5))
})

test('where all were missed, one run makes up for them if the schedule says so', () => {
  const { runs } = planOf({ ...each({ missed: 'run_once' }), cronExpr: '*/5 * * * * *' }, START + 9000)
  expect(runs.map(({ status, trigger, dueAt }) => [status, trigger, dueAt])).toEqual([
    ['missed', 'time', after(0)],
    ['pending', 'missed', after(5)],
  ])
  expect(planOf({ ...each(), cronExpr: '*/5 * * * * *' }, START + 9000).runs.map(({ status }) => status)).toEqual([
    'missed',
    'missed',
  ])
})

test('a clock that is set back repeats nothing', () => {
  const { nextRunAt } = planOf(each(), START + 10)
  const set = { ...each(), nextRunAt: nextRunAt ?? '' }
  expect(planOf(set, START + 1000)).toMatchObject({ runs: [{ dueAt: after(1) }], nextRunAt: after(2) })
})

test('a month without a relay is one row, and takes no time', () => {
  const month = 30 * 86_400_000
  const startedAt = performance.now()
  const { runs, nextRunAt } = planOf(each(), START + month + 500)
  expect(runs).toMatchObject([
    { status: 'missed', dueAt: after(0), error: expect.stringContaining('more than 100 instants') },
  ])
  expect(nextRunAt).toBe(new Date(START + month + 1000).toISOString())
  expect(performance.now() - startedAt).toBeLessThan(5000)
  const [, once] = planOf(each({ missed: 'run_once' }), START + month + 500).runs
  expect(once).toMatchObject({ status: 'pending', trigger: 'missed' })
})

test('the last instant of all has none after it', () => {
  expect(planOf({ ...each(), cronExpr: '0 0 12 21 11 * 2026' }, START + 10)).toMatchObject({
    runs: [{}],
    nextRunAt: null,
  })
})
