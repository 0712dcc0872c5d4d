import * as fc from 'fast-check'

/** Output such as programs on a terminal of this size make, in any order. */
export function terminalStream({ columns, rows }: { columns: number; rows: number }): fc.Arbitrary<Buffer> {
  const column = fc.integer({ min: 1, max: columns + 2 })
  const row = fc.integer({ min: 1, max: rows + 2 })
  const few = fc.integer({ min: 0, max: 4 })
  const csi = (final: string, ...args: fc.Arbitrary<number | string>[]) =>
    fc.tuple(...args).map((values) => `\x1b[${values.join(';')}${final}`)
  const text = fc
    .array(fc.constantFrom('a', 'b', ' ', 'x', 'word ', 'é', 'e\u0301', '字', '界', '🙂', '─', 'a\u0300\u0316'), {
      maxLength: 30,
    })
    .map((parts) => parts.join(''))
  const color = fc.oneof(
    fc.integer({ min: 0, max: 49 }).map(String),
    fc.integer({ min: 90, max: 107 }).map(String),
    fc.constantFrom(
      '38;5;200',
      '48;5;17',
      '38;2;1;2;3',
      '48;2;9;8;7',
      '4:3',
      '4;58:5:3',
      '0',
      '1;31',
      '7',
      '27',
      '39;49',
    ),
  )
  const mode = fc.constantFrom('1', '6', '9', '25', '45', '66', '1000', '1002', '1003', '1004', '1006', '2004')
  const piece = fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 3, arbitrary: fc.constantFrom('\r\n', '\n', '\r', '\b', '\t') },
    { weight: 3, arbitrary: csi('m', color) },
    { weight: 2, arbitrary: csi('H', row, column) },
    csi('A', few),
    csi('B', few),
    csi('C', few),
    csi('D', few),
    csi('G', column),
    csi('d', row),
    csi('J', fc.constantFrom(0, 1, 2)),
    csi('K', fc.constantFrom(0, 1, 2)),
    csi('L', few),
    csi('M', few),
    csi('P', few),
    csi('@', few),
    csi('X', few),
    csi('S', few),
    csi('T', few),
    csi('r', row, row),
    csi('g', fc.constantFrom(0, 3)),
    mode.map((name) => `\x1b[?${name}h`),
    mode.map((name) => `\x1b[?${name}l`),
    fc.constantFrom('\x1b[4h', '\x1b[4l', '\x1b7', '\x1b8', '\x1bD', '\x1bM', '\x1bE', '\x1bH', '\x1b=', '\x1b>'),
    fc.constantFrom('\x1b(0', '\x1b(B', '\x1b)0', '\x0e', '\x0f', '\x1b[2 q', '\x1b[5 q', '\x1bc', '\x1b[!p'),
    fc.constantFrom('\x1b[?1049h', '\x1b[?1049l', '\x1b[?47h', '\x1b[?47l'),
    fc.constantFrom('\x1b]0;title\x07', '\x1b]2;title\x1b\\', '\x1bP$qm\x1b\\', '\x1b[38;5m', '\x1b[3\n;1m'),
  )
  return fc.array(piece, { minLength: 1, maxLength: 60 }).map((pieces) => Buffer.from(pieces.join('')))
}
