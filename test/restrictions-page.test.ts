import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { channelCases } from '../packages/sandbox/src/testing/corpus/channel-cases.ts'
import type { CorpusCase } from '../packages/sandbox/src/testing/corpus/corpus-case.ts'
import { everyday } from '../packages/sandbox/src/testing/corpus/everyday.ts'
import { fileCases } from '../packages/sandbox/src/testing/corpus/file-cases.ts'
import { kernelCases } from '../packages/sandbox/src/testing/corpus/kernel-cases.ts'
import { deferredRules } from '../packages/sandbox/src/effects/deferred-rules.ts'

const page = readFileSync(new URL('../docs/restrictions.md', import.meta.url), 'utf8')
const corpus: readonly CorpusCase[] = [...fileCases, ...kernelCases, ...channelCases]
const users = ['root', 'user'] as const

/** How many cases each user can run. */
function countsOf(cases: readonly CorpusCase[]): number[] {
  return users.map((user) => cases.filter(({ as = user }) => as === user).length)
}

test('the table of docs/restrictions.md has the classes and counts of the corpus', () => {
  const [, table = ''] = /<!-- corpus -->([\s\S]*)<!-- end of corpus -->/.exec(page) ?? []
  const rows = [...table.matchAll(/^\| (\S.*?) +\|([ \d|]+)\|$/gm)].map(([, name = '', numbers = '']) => ({
    name,
    numbers: numbers.split('|').map(Number),
  }))
  const classes = [...new Set(corpus.map(({ name }) => name.slice(0, name.indexOf(':'))))]
  const expected = classes.map((name) => [name, ...countsOf(corpus.filter((each) => each.name.startsWith(`${name}:`)))])
  expect(rows.slice(0, -1).map(({ name, numbers }) => [name, ...numbers.slice(0, 2)])).toEqual(expected)
  const sums = [0, 1, 2, 3].map((at) => rows.slice(0, -1).reduce((sum, { numbers }) => sum + (numbers[at] ?? 0), 0))
  expect(rows.at(-1)).toEqual({ name: 'all', numbers: sums })
  expect(sums.slice(0, 2)).toEqual(countsOf(corpus))
  for (const { numbers } of rows)
    for (const user of [0, 1]) expect(numbers[user + 2]).toBeLessThanOrEqual(numbers[user] ?? 0)
})

test('docs/restrictions.md says how much of everyday work is tried', () => {
  const [root, user] = countsOf(everyday)
  expect(page.replaceAll('\n', ' ')).toContain(`${root} cases as root, ${user} as a user)`)
})

test('docs/restrictions.md has every rule of what runs later', () => {
  const rules = [...new Set([...deferredRules.map(({ rule }) => rule), 'path', 'privilege', 'configured'])]
  for (const rule of rules) expect(page).toContain(`| \`${rule}\``)
})
