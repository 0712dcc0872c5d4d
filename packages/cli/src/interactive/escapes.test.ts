import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { EscapeReader, type Typed } from './escapes.ts'

const typed = (...pieces: string[]) => {
  const reader = new EscapeReader()
  return pieces
    .flatMap((piece) => reader.read(Buffer.from(piece)))
    .map((item: Typed) => ('input' in item ? Buffer.from(item.input).toString() : item))
}

test('~. leaves at the beginning, and at the beginning of a line', () => {
  expect(typed('~.')).toEqual([{ command: 'leave' }])
  expect(typed('ls\r~.')).toEqual(['ls\r', { command: 'leave' }])
  expect(typed('ls\n', '~', '.')).toEqual(['ls\n', { command: 'leave' }])
})

test('a tilde elsewhere, a doubled one and one before another key are typed', () => {
  expect(typed('cd ~.')).toEqual(['cd ~.'])
  expect(typed('~~.')).toEqual(['~.'])
  expect(typed('~x~.')).toEqual(['~x~.'])
  expect(typed('\x1b[3~.')).toEqual(['\x1b[3~.'])
})

test('the other commands work, also after one another', () => {
  expect(typed('~?~t~r~g')).toEqual([
    { command: 'help' },
    { command: 'take' },
    { command: 'request' },
    { command: 'grant' },
  ])
})

test('how typing is cut into pieces changes nothing', () => {
  const text = fc.array(fc.constantFrom('~', '.', '\r', 'a', '?', 't'), { maxLength: 20 })
  fc.assert(
    fc.property(text, (keys) => {
      const flat = (items: unknown[]) =>
        items.map((item) => (typeof item === 'string' ? item : `<${JSON.stringify(item)}>`)).join('')
      expect(flat(typed(...keys))).toBe(flat(typed(keys.join(''))))
    }),
  )
})
