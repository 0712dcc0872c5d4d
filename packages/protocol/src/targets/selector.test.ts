import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseLabelChanges, parseLabels } from './labels.ts'
import { parseSelector } from './parse-selector.ts'
import { Selector, type SelectableMachine, selects } from './selector.ts'

const machines: SelectableMachine[] = [
  { id: 'mch_1', name: 'web-1', hostname: 'web-1.a', labels: { role: 'web', zone: 'a', env: 'prod' } },
  { id: 'mch_2', name: 'web-2', hostname: 'web-2.b', labels: { role: 'web', zone: 'b', env: 'dev' } },
  { id: 'mch_3', name: 'db-1', hostname: 'db-1.a', labels: { role: 'db', zone: 'a', env: 'prod', canary: '' } },
  { id: 'mch_4', name: 'bare', hostname: 'web-1.a', labels: {} },
]
const namesOf = (text: string) => machines.filter((each) => selects(parseSelector(text), each)).map(({ name }) => name)

test.each([
  ['*', ['web-1', 'web-2', 'db-1', 'bare']],
  ['web-1', ['web-1']],
  ['mch_3', ['db-1']],
  ['web-1.a', ['web-1', 'bare']],
  ['web-*', ['web-1', 'web-2', 'bare']],
  ['?b-1', ['db-1']],
  ['role=web', ['web-1', 'web-2']],
  ['role==web', ['web-1', 'web-2']],
  ['role=web,env!=dev', ['web-1']],
  ['role = web , env != dev', ['web-1']],
  ['env!=dev', ['web-1', 'db-1', 'bare']],
  ['zone in (a,b)', ['web-1', 'web-2', 'db-1']],
  ['zone notin (a)', ['web-2', 'bare']],
  ['role=web and zone=a or db-1', ['web-1', 'db-1']],
  ['role=web and (zone=b or db-1)', ['web-2']],
  ['not (role=web)', ['db-1', 'bare']],
  ['!role=web', ['db-1', 'bare']],
  ['not role=*', ['bare']],
  ['canary=', ['db-1']],
  ['canary=*', ['db-1']],
  ['role=w*', ['web-1', 'web-2']],
  ['web-1 or web-2', ['web-1', 'web-2']],
  ['toString=*', []],
])('the selector %s means %j', (text, names) => {
  expect(namesOf(text)).toEqual(names)
})

test.each([
  ['', 'got its end'],
  ['role=web,', 'expected a machine or a label, got its end'],
  ['web-1,web-2', "write 'web-1 or web-2'"],
  ['role=web env=prod', "got 'env=prod'"],
  ['(role=web', "expected ')'"],
  ['zone in a', "expected '('"],
  ['role=web; rm -rf /', "got '; rm -rf /'"],
  ['-x=y', "'-x' is no name of a label"],
  ['('.repeat(100), 'nested deeper than 32'],
  ['!'.repeat(100), 'nested deeper than 32'],
  ['x'.repeat(9000), 'at most 8192 characters, got 9000'],
])('the selector %j is refused: %s', (text, why) => {
  expect(() => parseSelector(text)).toThrow(
    expect.objectContaining({ code: 'validation', message: expect.stringContaining(why) }),
  )
})

test('any text is a selector or refused in words, and what is one fits its own schema', () => {
  const words = fc.constantFrom(
    'role',
    'web-1',
    '*',
    '=',
    '!=',
    ',',
    '(',
    ')',
    ' in ',
    ' or ',
    ' and ',
    'not ',
    ' ',
    '!',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words).map((parts) => parts.join('')),
      ),
      (text) => {
        let selector: Selector
        try {
          selector = parseSelector(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'validation' })
          return
        }
        expect(Selector.parse(JSON.parse(JSON.stringify(selector)))).toEqual(selector)
        expect(machines.map((machine) => selects({ not: selector }, machine))).toEqual(
          machines.map((machine) => !selects(selector, machine)),
        )
      },
    ),
    { numRuns: 2000 },
  )
})

test('a selector from the wire is bounded in size and depth', () => {
  let deep: unknown = { machine: 'x' }
  for (let depth = 0; depth < 100_000; depth += 1) deep = { not: deep }
  expect(Selector.safeParse(deep).success).toBe(false)
  expect(Selector.safeParse({ any: Array.from({ length: 20_000 }, () => ({ machine: 'x' })) }).success).toBe(false)
  expect(Selector.safeParse({ machine: 'x', label: 'y' }).success).toBe(false)
})

test('labels are read as people write them', () => {
  expect(parseLabels(['role=web,zone=a', 'env='])).toEqual({ role: 'web', zone: 'a', env: '' })
  expect(parseLabels([''])).toEqual({})
  expect(parseLabelChanges(['role=web', 'zone-'])).toEqual({ role: 'web', zone: null })
  for (const wrong of ['role', 'role=web=1', 'ro le=web', 'role=we b', `role=${'x'.repeat(64)}`])
    expect(() => parseLabels([wrong])).toThrow(expect.objectContaining({ code: 'validation' }))
  expect(() => parseLabelChanges(['role'])).toThrow('role- to remove it')
})
