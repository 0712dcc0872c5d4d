import { describe, expect, test } from 'vitest'
import { readEvents, recordedBytes } from './recorded-events.ts'

/** The events of these lines, in pieces of so many bytes. */
async function read(lines: readonly unknown[], { header = {}, cut = 7, end = '\n' } = {}) {
  const text = [{ version: 2, width: 80, height: 24, ...header }, ...lines]
    .map((line) => JSON.stringify(line))
    .join('\n')
  const content = Buffer.from(text + end)
  const parts = async function* () {
    for (let at = 0; at < content.length; at += cut) yield content.subarray(at, at + cut)
  }
  return Array.fromAsync(readEvents(parts()))
}

describe('the events of a recording', () => {
  test('are its output, sizes, notes and what is omitted, each with its time', async () => {
    const whole = { stdoutBytes: 5, stderrBytes: 0, sha256: 'ab'.repeat(32) }
    const events = await read([
      [0, 'o', 'ä😀\r\n'],
      [0.5, 'r', '100x40'],
      [1, 'm', 'lease: Ada'],
      [2, 'x', JSON.stringify({ bytes: 5, whole })],
      [3, 'unknown', 'of a later version'],
    ])
    expect(events).toEqual([
      { type: 'output', time: 0, text: 'ä😀\r\n', stream: 'stdout', data: new TextEncoder().encode('ä😀\r\n') },
      { type: 'resize', time: 0.5, columns: 100, rows: 40 },
      { type: 'marker', time: 1, text: 'lease: Ada' },
      { type: 'omitted', time: 2, bytes: 5, whole },
    ])
  })

  test('have the exact bytes where text cannot say them, and none for a note of the recording', async () => {
    const lines = [
      [0, 'o', 'a'],
      [1, 'o', '\u{fffd}'],
      [1, 'b', '/w=='],
      [2, 's', 'stderr'],
      [2, 'o', 'error'],
      [3, 'o', '[cmdop: 5 bytes are not in this recording]'],
      [3, 'b', ''],
    ]
    const events = await read(lines)
    expect(recordedBytes(events)).toEqual(Uint8Array.from([0x61, 0xff, ...Buffer.from('error')]))
    expect(recordedBytes(events, 'stdout')).toEqual(Uint8Array.from([0x61, 0xff]))
    expect(recordedBytes(events, 'stderr')).toEqual(new TextEncoder().encode('error'))
  })

  test('of a command have no returns that its output did not have', async () => {
    const lines = [[0, 'o', 'a\r\nb\r\r\n\rc']]
    const [event] = await read(lines, { header: { cmdop: { kind: 'exec' } } })
    expect(Buffer.from(recordedBytes(event === undefined ? [] : [event])).toString()).toBe('a\nb\r\n\rc')
  })

  test('end before a line that is not whole yet', async () => {
    expect(await read([[0, 'o', 'a']], { end: '\n[1,"o","b' })).toHaveLength(1)
  })

  test.each([
    ['no JSON', 'x'],
    ['another version', JSON.stringify({ version: 3 })],
    ['a web page', '<!doctype html>'],
  ])('of %s are refused with `integrity`', async (_, text) => {
    const content = async function* () {
      yield Buffer.from(`${text}\n`)
    }
    await expect(readEvents(content()).next()).rejects.toMatchObject({ code: 'integrity' })
  })

  test.each([[['0', 'o', 'x']], [[0, 'o']], ['x'], [[0, 'x', '{}']]])('stop with `integrity` at %j', async (line) => {
    await expect(read([[0, 'o', 'a'], line])).rejects.toMatchObject({ code: 'integrity' })
  })

  test('of exact bytes that are no base64 are refused', async () => {
    await expect(
      read([
        [0, 'o', 'a'],
        [0, 'b', '*'],
      ]),
    ).rejects.toMatchObject({ code: 'integrity' })
  })
})
