import { expect, test } from 'vitest'
import { judge } from './judge.ts'

const of = (...rules: string[]) => ({ violations: rules.map((rule) => ({ path: '/p', rule })) })

test('without a restriction of effects everything is applied', () => {
  expect(judge(of('deleted'), {})).toEqual({ verdict: 'apply' })
})

test('noDelete allows an overwritten file, since its old version is kept; noOverwrite does not', () => {
  expect(judge(of('overwritten'), { noDelete: true })).toEqual({ verdict: 'apply' })
  expect(judge(of('overwritten'), { noOverwrite: true })).toMatchObject({ verdict: 'refuse' })
})

test.each(['deleted', 'replaced', 'emptied', 'moved-away', 'deferred:cron'])(
  'noDelete and noOverwrite refuse: %s',
  (rule) => {
    expect(judge(of(rule), { noDelete: true })).toEqual({ verdict: 'refuse', violations: [{ path: '/p', rule }] })
    expect(judge(of(rule), { noOverwrite: true })).toMatchObject({ verdict: 'refuse' })
  },
)
