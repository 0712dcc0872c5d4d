import { expect, test } from 'vitest'
import { formatTable } from './terminal.ts'

test('a row of a table is one line, and gives the terminal no control sequence, whatever a cell holds', () => {
  const rows = [
    ['web\nevil  online', '1'],
    ['a\u001b[2Jb\tc', '2'],
    ['x\u202ey', '3'],
  ]
  expect(formatTable(['NAME', 'N'], rows)).toBe(
    'NAME              N\nweb evil  online  1\na\u{fffd}[2Jb c          2\nx\u{fffd}y               3\n',
  )
})
