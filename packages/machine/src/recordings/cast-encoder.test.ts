import { property, assert, array, uint8Array, record, constantFrom, integer } from 'fast-check'
import type { RecordingSubject } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { CastEncoder, castHeader } from './cast-encoder.ts'
import { testSubject } from '../testing/test-subject.ts'

/** What a reader restores, as `docs/recordings.md` says it. */
function restore(kind: RecordingSubject['kind'], text: string): { stdout: Buffer; stderr: Buffer } {
  const found = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let stream: 'stdout' | 'stderr' = 'stdout'
  for (const line of text.split('\n').slice(0, -1)) {
    const [, code, data] = JSON.parse(line) as [number, string, string]
    if (code === 's') stream = data as typeof stream
    if (code === 'o') found[stream].push(Buffer.from(kind === 'exec' ? data.replaceAll('\r\n', '\n') : data))
    if (code === 'b') found[stream].splice(-1, 1, Buffer.from(data, 'base64'))
  }
  return { stdout: Buffer.concat(found.stdout), stderr: Buffer.concat(found.stderr) }
}

const interesting = constantFrom(
  0x0a,
  0x0d,
  0x1b,
  0x22,
  0x5c,
  0x00,
  0xc3,
  0xa9,
  0xf0,
  0x9f,
  0x98,
  0x80,
  0xff,
  0xef,
  0xbb,
  0xbf,
  0x61,
)
const bytes = array(interesting, { maxLength: 40 }).map((list) => Uint8Array.from(list))
const piece = record({ data: bytes, stream: constantFrom('stdout' as const, 'stderr' as const) })

describe.each(['session', 'exec'] as const)('the encoder of a recording of kind %s', (kind) => {
  test('loses no byte, whatever they are and wherever they are cut', () => {
    assert(
      property(array(piece, { maxLength: 20 }), (pieces) => {
        const encoder = new CastEncoder(kind)
        for (const [index, { data, stream }] of pieces.entries()) encoder.output(index, data, stream)
        encoder.flush(pieces.length)
        const restored = restore(kind, encoder.take().toString())
        for (const stream of ['stdout', 'stderr'] as const) {
          const expected = Buffer.concat(pieces.filter((each) => each.stream === stream).map(({ data }) => data))
          expect(restored[stream]).toEqual(expected)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('loses no byte of any other', () => {
    assert(
      property(uint8Array({ maxLength: 300 }), integer({ min: 0, max: 300 }), (data, cut) => {
        const encoder = new CastEncoder(kind)
        encoder.output(0, data.subarray(0, cut))
        encoder.output(1, data.subarray(cut))
        encoder.flush(2)
        expect(restore(kind, encoder.take().toString()).stdout).toEqual(Buffer.from(data))
      }),
    )
  })
})

test('text that is cut within a character is shown whole, and needs no exact bytes', () => {
  const encoder = new CastEncoder('session')
  const data = Buffer.from('añ😀')
  for (const [index, byte] of data.entries()) encoder.output(index, Uint8Array.of(byte))
  const lines = encoder.take().toString()
  const shown = lines
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as unknown[]).slice(1))
  expect(shown).toEqual([
    ['o', 'a'],
    ['o', 'ñ'],
    ['o', '😀'],
  ])
})

test('the header is that of asciicast v2, with who, where and why', () => {
  const subject = testSubject()
  const header: unknown = JSON.parse(castHeader(subject, { size: { columns: 100, rows: 30 }, shell: '/bin/zsh' }))
  expect(header).toEqual({
    version: 2,
    width: 100,
    height: 30,
    timestamp: Date.parse(subject.startedAt) / 1000,
    title: subject.title,
    env: { TERM: 'xterm-256color', SHELL: '/bin/zsh' },
    cmdop: subject,
  })
})

test('every character is escaped as JSON needs it, however long the text is', () => {
  const text = Array.from({ length: 3000 }, (_, index) => String.fromCodePoint(index)).join('')
  const encoder = new CastEncoder('session')
  encoder.output(1234.5678, Buffer.from(text.repeat(20)))
  expect(JSON.parse(encoder.take().toString())).toEqual([1.234568, 'o', text.repeat(20)])
})
