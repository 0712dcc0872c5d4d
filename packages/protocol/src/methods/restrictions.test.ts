import { describe, expect, test } from 'vitest'
import { isRestricted, mergeRestrictions, type Restrictions } from './restrictions.ts'

const merged = (one: Restrictions | undefined, other: Restrictions | undefined) => {
  const result = mergeRestrictions(one, other)
  expect(new Set(mergeRestrictions(other, one).writablePaths)).toEqual(new Set(result.writablePaths))
  expect({ ...mergeRestrictions(other, one), writablePaths: 0 }).toEqual({ ...result, writablePaths: 0 })
  return result
}

describe('merged restrictions', () => {
  test('hold what either of them holds', () => {
    expect(merged({ dryRun: true, noSudo: false }, { noDelete: true, readOnly: false })).toEqual({
      dryRun: true,
      noDelete: true,
    })
    expect(merged({ noOverwrite: true, readOnly: true }, { noSudo: true })).toEqual({
      noOverwrite: true,
      readOnly: true,
      noSudo: true,
    })
    expect(merged(undefined, { dryRun: true })).toEqual({ dryRun: true })
    expect(isRestricted(merged(undefined, undefined))).toBe(false)
    expect(isRestricted(merged({}, { noDelete: false }))).toBe(false)
  })

  test.each<[string[] | undefined, string[] | undefined, string[] | undefined]>([
    [['/a'], undefined, ['/a']],
    [['/a'], ['/a'], ['/a']],
    [['/a'], ['/a/b', '/c'], ['/a/b']],
    [
      ['/a/b', '/c/d'],
      ['/a', '/c/d/e', '/x'],
      ['/a/b', '/c/d/e'],
    ],
    [['/'], ['/a'], ['/a']],
    [['/a'], ['/ab'], []],
    [['/a'], [], []],
    [['/a'], ['/a/../etc'], []],
    [['/a/'], ['/a//b/.'], ['/a/b']],
  ])('leave writable what is below both %o and %o', (one, other, expected) => {
    const { writablePaths } = merged(
      one === undefined ? {} : { writablePaths: one },
      other === undefined ? {} : { writablePaths: other },
    )
    expect(writablePaths).toEqual(expected)
  })

  test('close the network when either does, also by its view', () => {
    expect(merged({ network: 'none' }, { network: 'host' }).network).toBe('none')
    expect(merged({ network: 'host' }, {}).network).toBe('host')
    expect(merged({ network: 'host', dryRun: true }, { network: 'host' }).network).toBe('host')
    expect(merged({ network: 'host' }, { dryRun: true }).network).toBe('none')
    expect(merged({ dryRun: true }, { noDelete: true }).network).toBeUndefined()
  })

  test('run as the one user that is named, and refuse two', () => {
    expect(merged({ runAs: 'ann' }, {}).runAs).toBe('ann')
    expect(merged({ runAs: 'ann' }, { runAs: 'ann' }).runAs).toBe('ann')
    expect(() => mergeRestrictions({ runAs: 'ann' }, { runAs: 'bob' })).toThrow(
      expect.objectContaining({ code: 'restriction_unenforceable' }),
    )
  })

  test('take the smaller of each limit', () => {
    expect(merged({ limits: { cpuSeconds: 5, openFiles: 10 } }, { limits: { cpuSeconds: 3, processes: 7 } })).toEqual({
      limits: { cpuSeconds: 3, openFiles: 10, processes: 7 },
    })
    expect(merged({ limits: { cpuSeconds: 5 } }, {})).toEqual({ limits: { cpuSeconds: 5 } })
  })
})
