import { expect, test } from 'vitest'
import { knownRestrictions } from './restrictions.ts'

test('the names of the original product mean the same', () => {
  const given = { dry_run: true, no_delete: true, no_sudo: true, run_as: 'nobody', no_network: true }
  const known = { dryRun: true, noDelete: true, noSudo: true, runAs: 'nobody', network: 'none' }
  expect(knownRestrictions(given)).toEqual(known)
  expect(knownRestrictions(known as typeof known & { network: 'none' })).toEqual(known)
})

test('no restriction is none', () => {
  expect(knownRestrictions(undefined)).toBeUndefined()
  expect(knownRestrictions({})).toBeUndefined()
  expect(knownRestrictions({ dryRun: undefined, noNetwork: false })).toBeUndefined()
})

test.each([
  ['unknown', { noDeletes: true }, 'noDeletes'],
  ['given twice', { noDelete: true, no_delete: false }, 'given twice'],
  ['of another type', { dryRun: 'yes' }, 'dryRun'],
  ['a relative path', { writablePaths: ['srv'] }, 'writablePaths'],
  ['no object', 'dryRun', 'expected object'],
])('a restriction that is %s is refused by name', (_, given, message) => {
  expect(() => knownRestrictions(given as object)).toThrow(
    expect.objectContaining({ code: 'validation', message: expect.stringContaining(message) }),
  )
})
