import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { frameTypes } from './frame.ts'
import * as limits from './limits.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test('README.md states every limit as it is, and no other', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` +\| ([\d,]+) +\|/gm)]
  const stated = rows.map(([, name = '', value = '']) => [name, Number(value.replaceAll(',', ''))])
  expect(Object.fromEntries(stated)).toEqual({ ...limits })
})

test('README.md states every type of frame as it is, and no other', () => {
  const rows = [...readme.matchAll(/^\| (\d) +\| `([a-z]+)`/gm)].map(([, type, name = '']) => [name, Number(type)])
  expect(Object.fromEntries(rows)).toEqual(frameTypes)
})

test('The limits fit together', () => {
  expect(limits.MAX_CHANNELS * limits.MIN_WINDOW).toBeLessThan(limits.CONNECTION_WINDOW)
  expect(limits.MAX_DATA_BYTES + 6).toBeLessThanOrEqual(limits.MAX_FRAME_BYTES)
  expect(limits.CONNECTION_WINDOW).toBeLessThan(limits.MAX_BUFFERED_BYTES)
  expect(limits.HELLO_WITHIN_MS).toBeLessThan(limits.PING_AFTER_MS)
  expect(limits.PING_AFTER_MS).toBeLessThan(limits.DEAD_AFTER_MS)
})
