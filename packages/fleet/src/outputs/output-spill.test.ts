import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OutputSpill } from './output-spill.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cmdop-spill-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const isInMemory = (value: unknown, name: string) =>
  typeof Object.getOwnPropertyDescriptor(value, name)?.value === 'string'

const large = (text: string) => ({ stdout: text.repeat(10_000), stderr: 'small', exitCode: 0 })

test('large outputs are what they were, as often as they are looked at, and as JSON', () => {
  const spill = new OutputSpill(folder)
  const given = ['ä', '🦊\n', 'x'].map(large)
  const kept = given.map((each) => spill.spill(each, ['stdout', 'stderr']))
  expect(kept).toEqual(given)
  expect(JSON.parse(JSON.stringify(kept))).toEqual(given)
  expect({ ...kept[1] }).toEqual(given[1])
  expect(isInMemory(kept[0], 'stdout')).toBe(false)
  expect(isInMemory(kept[0], 'stderr')).toBe(true)
})

test('their file has no name', () => {
  new OutputSpill(folder).spill(large('x'), ['stdout'])
  expect(readdirSync(folder)).toEqual([])
})

test('they stay in memory where there is no disk for them', () => {
  const spill = new OutputSpill(join(folder, 'none'))
  const kept = spill.spill(large('x'), ['stdout'])
  expect(kept).toEqual(large('x'))
  expect(isInMemory(kept, 'stdout')).toBe(true)
})
