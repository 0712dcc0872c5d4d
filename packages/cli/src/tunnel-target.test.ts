import { expect, test } from 'vitest'
import { parseTunnelTarget } from './tunnel-target.ts'

test('A target is a machine and a port, with the host in between where it is another one', () => {
  expect(parseTunnelTarget('web-1:5432')).toEqual({ machine: 'web-1', host: '127.0.0.1', port: 5432 })
  expect(parseTunnelTarget('web-1:db.internal:5432')).toEqual({ machine: 'web-1', host: 'db.internal', port: 5432 })
  expect(parseTunnelTarget('web-1:[fd00::7]:80')).toEqual({ machine: 'web-1', host: 'fd00::7', port: 80 })
  for (const wrong of ['web-1', '5432', ':80', 'web-1:', 'web-1:0', 'web-1:70000', 'web-1:fd00::7:80', 'a:b:c:1'])
    expect(() => parseTunnelTarget(wrong)).toThrow('Expected <machine>:<port>')
})
