import { expect, test } from 'vitest'
import { compilePolicy } from '../../decide/compile-policy.ts'
import { decide } from '../../decide/decide.ts'
import { everydayReads } from '../../testing/everyday-reads.ts'
import type { CheckTable } from '../checks.ts'
import { commandTable } from './all.ts'
import { harmlessNames } from './harmless.ts'

const policy = compilePolicy({})
const isAllowed = (command: readonly string[]) =>
  decide(policy, { tool: 'exec', principalKind: 'ai', command, cwd: '/srv/app' }).decision === 'allow'

/** Programs that take any words: those without a dangerous one, and those whose words are looked at in another way. */
const takesAnything = new Set([
  ...harmlessNames.split(' '),
  // What stands in a test or in a text to print is no option.
  'test',
  '[',
  'printf',
])

/** Programs with all their commands, as somebody types them. */
function everyName(table: CheckTable, before: readonly string[] = []): (readonly string[])[] {
  return Object.entries(table).flatMap(([name, { commands }]) => {
    const words = [...before, name]
    return [words, ...(commands === undefined ? [] : everyName(commands, words))]
  })
}

const invented = ['--zz-unknown=x', '--zz-unknown', '-\u00e9', '-\u00e9x']

/** Each everyday command that is one program, with its words. */
const samples = everydayReads
  .map((command) =>
    decide(policy, { tool: 'exec', principalKind: 'ai', command, cwd: '/srv/app' }).commands.filter(
      ({ wrapper }) => wrapper === undefined,
    ),
  )
  .flat()
  .map(({ words }) => words.map((word) => word.values?.[0] ?? '/srv/x'))
  .filter((words) => words.length > 0 && isAllowed(words))

test('an option that is invented is allowed by no program, but for those on the list', () => {
  const names = everyName(commandTable)
  expect(names.length).toBeGreaterThan(600)
  const allowed = names
    .filter(([program = '']) => !takesAnything.has(program))
    .flatMap((words) =>
      invented.flatMap((option) => [
        [...words, option],
        [...words, 'x', option],
        [...words, option, 'x'],
      ]),
    )
    .filter(isAllowed)
  expect(allowed.map((words) => words.join(' '))).toEqual([])
})

test('nor where it stands among the words of an everyday command', () => {
  expect(samples.length).toBeGreaterThan(200)
  const allowed = samples
    .filter(([program = '']) => !takesAnything.has(program))
    .flatMap((words) =>
      words.flatMap((_, index) => {
        // After an option that may take a value it is that value, and after `--` an operand.
        const isValue = index > 0 && ((words[index] ?? '').startsWith('-') || words.slice(0, index).includes('--'))
        return isValue
          ? []
          : invented.map((option) => [...words.slice(0, index + 1), option, ...words.slice(index + 1)])
      }),
    )
    .filter(isAllowed)
  expect(allowed.map((words) => words.join(' '))).toEqual([])
})

test('whatever is on the list of the harmless is known, and there once', () => {
  const names = harmlessNames.split(' ')
  expect(new Set(names).size).toBe(names.length)
  expect(names.filter((name) => !Object.hasOwn(commandTable, name))).toEqual([])
})
