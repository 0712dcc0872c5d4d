import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMeminfo } from './memory.ts'

const sample = `MemTotal:       24684084 kB
MemFree:        24516820 kB
MemAvailable:   24428424 kB
Buffers:            1780 kB
`

test('total and available memory are read in bytes', () => {
  expect(parseMeminfo(sample)).toEqual({ totalBytes: 24_684_084 * 1024, availableBytes: 24_428_424 * 1024 })
})

test('a kernel that does not tell the available memory gives null, not a guess', () => {
  expect(parseMeminfo(sample.replace('MemAvailable', 'MemSomething'))).toBeNull()
})

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseMeminfo(text) === null))
})
