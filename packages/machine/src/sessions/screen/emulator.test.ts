import { describe, expect, test } from 'vitest'
import { Emulator } from './emulator.ts'
import { assertSnapshots, paint } from './testing/snapshot-property.ts'

describe('a painted screen', () => {
  test('shows, and goes on to show, what a terminal that was there from the start does', () => assertSnapshots(200))

  test('has up to 1000 lines above it, or none', () => {
    const lines = Buffer.from(Array.from({ length: 3000 }, (_, number) => `line ${number}\r\n`).join(''))
    expect(Buffer.from(paint(lines)).toString().split('\r\n')[0]).toBe('line 1995')
    expect(
      Buffer.from(paint(lines, { history: false }))
        .toString()
        .split('\r\n')[0],
    ).toBe('line 2995')
  })

  test('survives what xterm throws over: everything up to the last cell is erased', () => {
    using emulator = new Emulator({ columns: 20, rows: 6 })
    emulator.write(Buffer.from('gone\r\n\x1b[6;20H\x1b[1J\x1b[Hkept'))
    expect(Buffer.from(emulator.paint(true).paint).toString()).toMatch(/^kept(?!.*gone)/s)
  })

  test('of 1000 lines in all colours is painted in a moment', () => {
    using emulator = new Emulator({ columns: 200, rows: 50 })
    const cell = (index: number) => `\x1b[38;5;${index % 256};48;5;${(index * 7) % 256}mx`
    const line = `${Array.from({ length: 200 }, (_, index) => cell(index)).join('')}\r\n`
    emulator.write(Buffer.from(line.repeat(1100)))
    const startedAt = performance.now()
    emulator.paint(true)
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })
})
