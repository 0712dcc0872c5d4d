import { array, assert, constantFrom, nat, oneof, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMark, MarkParser, MAX_MARK_BYTES, type OutputPiece } from './mark-parser.ts'

const NONCE = '00112233445566778899aabbccddeeff'

describe('the parser of marks', () => {
  test('takes our marks out of the output, and says what they say', () => {
    const parsed = parse([`one${mark('C', '7')}two${mark('D', '130', '/a b')}${mark('A', '', '/')}$ ${mark('B', '0')}`])
    expect(parsed.output).toBe('onetwo$ ')
    expect(parsed.marks).toEqual([
      { kind: 'C', value: 7, directory: null },
      { kind: 'D', value: 130, directory: '/a b' },
      { kind: 'A', value: null, directory: '/' },
      { kind: 'B', value: 0, directory: null },
    ])
  })

  test('leaves the marks of others as they are', () => {
    const others = [
      '\x1b]133;D;0\x07',
      '\x1b]133;A\x1b\\',
      '\x1b]133;A;cmdop=ffff;;;ffff\x07',
      `\x1b]133;X;cmdop=${NONCE};;;${NONCE}\x07`,
      `\x1b]133;C;cmdop=${NONCE.slice(1)};;;\x07`,
      '\x1b]0;title\x07',
      '\x1b',
      `\x1b]133;C;cmdop=${NONCE}`,
    ]
    for (const other of others) expect(parse([`a${other}`])).toEqual({ output: `a${other}`, marks: [] })
  })

  test('takes any bytes for a directory, newlines as the terminal sends them', () => {
    const [found] = parse([mark('D', '0', '/a;\x1b]133;A\x07\r\n\xff\xc3')]).marks
    expect(found?.directory).toBe('/a;\x1b]133;A\x07\n\xff\xc3')
  })

  test('holds back no more than a mark may have', () => {
    const endless = `\x1b]133;D;cmdop=${NONCE};0;${'x'.repeat(3 * MAX_MARK_BYTES)}`
    const parser = new MarkParser(NONCE)
    const shown = collect(parser.push(Buffer.from(endless, 'latin1')))
    expect(shown.output).toBe(endless)
    expect(parser.flush()).toHaveLength(0)
  })

  test('says the same wherever the output is cut', () => {
    const part = oneof(
      constantFrom(mark('A', '', '/x\r\ny'), mark('B', '1'), mark('C', '12'), mark('D', '0', '/\x1b]133;')),
      constantFrom('\x1b', '\x1b]', '\x1b]133;', '\x1b]133;A', `\x1b]133;B;cmdop=${NONCE}`, `;${NONCE}\x07`, '\x07'),
      string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text).toString('latin1')),
    )
    assert(
      property(array(part, { maxLength: 12 }), array(nat(400), { maxLength: 30 }), (parts, cuts) => {
        const whole = parts.join('')
        expect(parse(cut(whole, cuts))).toEqual(parse([whole]))
        expect(parse(whole.split(''))).toEqual(parse([whole]))
      }),
      { numRuns: 500 },
    )
  })
})

function mark(kind: string, value: string, directory = ''): string {
  return `\x1b]133;${kind};cmdop=${NONCE};${value};${directory};${NONCE}\x07`
}

function parse(pieces: readonly string[]) {
  const parser = new MarkParser(NONCE)
  const found = pieces.map((piece) => collect(parser.push(Buffer.from(piece, 'latin1'))))
  const rest = Buffer.from(parser.flush()).toString('latin1')
  return { output: found.map(({ output }) => output).join('') + rest, marks: found.flatMap(({ marks }) => marks) }
}

function collect(pieces: readonly OutputPiece[]) {
  const output = pieces.map((piece) => (isMark(piece) ? '' : Buffer.from(piece).toString('latin1'))).join('')
  const marks = pieces
    .filter(isMark)
    .map((each) => ({ ...each, directory: each.directory?.toString('latin1') ?? null }))
  return { output, marks }
}

function cut(whole: string, cuts: readonly number[]): string[] {
  const places = [0, ...cuts.map((place) => place % (whole.length + 1)), whole.length].toSorted((a, b) => a - b)
  return places.slice(1).map((place, index) => whole.slice(places[index], place))
}
