import { assert, integer, property, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { isVersionIn } from './version-range.ts'

test.each([
  ['>=20', ['20.0.0', '20', '24.21.0', '100.0.0'], ['18.20.4', '2.0.0']],
  ['>=18.15', ['18.15.0', '18.16', '20.0.0'], ['18.14.9', '18']],
  ['> 3.11', ['3.12.0', '4.0.0'], ['3.11.9', '3.10.0']],
  ['<=3.11', ['3.11.9', '2.7.18'], ['3.12.0']],
  ['^20.3', ['20.3.0', '20.11.1'], ['20.2.9', '21.0.0', '18.0.0']],
  ['^0.2.1', ['0.2.1', '0.2.9'], ['0.2.0', '0.3.0', '1.0.0']],
  ['~20.3', ['20.3.0', '20.3.9'], ['20.4.0', '20.2.0']],
  ['~20', ['20.0.0', '20.9.0'], ['21.0.0', '19.0.0']],
  ['~=3.10', ['3.10.0', '3.13.1'], ['3.9.7', '4.0.0']],
  ['~=3.10.2', ['3.10.2', '3.10.9'], ['3.10.1', '3.11.0']],
  ['20.x', ['20.0.0', '20.9.1'], ['21.0.0']],
  ['==3.11.*', ['3.11.0', '3.11.9'], ['3.12.0']],
  ['v20.1.2', ['20.1.2'], ['20.1.3']],
  ['>=3.9, <4, !=3.10', ['3.9.0', '3.11.2'], ['3.10.4', '4.0.0', '3.8.10']],
  ['18 || >=20 <22', ['18.1.0', '20.0.0', '21.9.9'], ['19.0.0', '22.0.0']],
  ['*', ['0.0.1', '24.0.0'], []],
])('%s takes %j, not %j', (range, those, others) => {
  for (const version of those) expect([version, isVersionIn(version, range)]).toEqual([version, true])
  for (const version of others) expect([version, isVersionIn(version, range)]).toEqual([version, false])
})

test('a version is read as programs print it', () => {
  expect(isVersionIn('v24.21.0', '>=24')).toBe(true)
  expect(isVersionIn('Python 3.13.0rc1', '>=3.13')).toBe(true)
  expect(isVersionIn('v25.0.0-nightly20260101', '<25')).toBe(false)
})

test('what is no range is not read as one', () => {
  for (const range of ['', 'latest', '>=', '>=20 - 22', '20.1.2.3', '>>20', '18 ||', '3.9+', '>=20.0.0-rc.1'])
    expect([range, isVersionIn('20.1.2', range)]).toEqual([range, undefined])
})

test('of any two versions exactly one of below, the same and above holds', () => {
  const versions = tuple(integer({ min: 0, max: 30 }), integer({ min: 0, max: 30 }), integer({ min: 0, max: 30 }))
  assert(
    property(versions, versions, (one, other) => {
      const held = ['<', '=', '>'].filter((operator) => isVersionIn(one.join('.'), operator + other.join('.')) === true)
      expect(held).toHaveLength(1)
    }),
  )
})
