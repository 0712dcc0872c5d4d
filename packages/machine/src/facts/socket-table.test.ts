import { endianness } from 'node:os'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseSocketTable } from './socket-table.ts'

const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const rest = '00000000:00000000 00:00000000 00000000     0        0'

// The samples are from little-endian machines.
describe.runIf(endianness() === 'LE')('a table of sockets', () => {
  test('gives the listening tcp sockets and not the connected ones', () => {
    const text = `${header}   0: 0100007F:1F90 00000000:0000 0A ${rest} 640 1 00000000807ee918 100 0 0 10 0
   1: 0100007F:1F90 0100007F:D431 01 ${rest} 641 1 00000000807ee919 20 4 30 10 -1\n`
    expect(parseSocketTable(text, 'tcp')).toEqual([{ protocol: 'tcp', address: '127.0.0.1', port: 8080, inode: '640' }])
  })

  test('gives the bound udp sockets', () => {
    const text = `${header}  12: 00000000:0035 00000000:0000 07 ${rest} 77 2 0000000000000000 0\n`
    expect(parseSocketTable(text, 'udp')).toEqual([{ protocol: 'udp', address: '0.0.0.0', port: 53, inode: '77' }])
  })

  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000001000000', '::1'],
    ['B80D0120000000000000000001000000', '2001:db8::1'],
    ['0000000000000000FFFF00000100007F', '::ffff:127.0.0.1'],
  ])('writes the IPv6 address %s as %s', (hex, address) => {
    const text = `   0: ${hex}:0050 00000000000000000000000000000000:0000 0A ${rest} 5 1 0 100 0 0 10 0`
    expect(parseSocketTable(text, 'tcp')).toEqual([{ protocol: 'tcp', address, port: 80, inode: '5' }])
  })
})

test('no text makes the parser throw', () => {
  const line = fc
    .array(fc.constantFrom('0: ', '0100007F', ':0050 ', '00000000:0000 ', '0A ', rest, ' 5', '\n', 'x'))
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(line, fc.string({ unit: 'binary' })), (text) => {
      for (const { address } of parseSocketTable(text, 'tcp')) expect(address).toMatch(/^[0-9a-f.:]+$/)
    }),
  )
})
