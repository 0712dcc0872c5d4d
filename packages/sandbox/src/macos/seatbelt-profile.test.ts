import { expect, test } from 'vitest'
import { seatbeltCommand, seatbeltProfile } from './seatbelt-profile.ts'

test('a read-only profile denies writing but for devices and temporary files, and the network', () => {
  expect(seatbeltProfile({ readOnly: true }).split('\n')).toEqual([
    '(version 1)',
    '(allow default)',
    '(deny file-write*)',
    expect.stringContaining('(allow file-write* (literal "/dev/null")'),
    '(deny network*)',
  ])
  expect(seatbeltProfile({ readOnly: true })).toContain('(subpath "/private/tmp")')
})

test('writable paths are allowed, with quotes and backslashes kept from ending the text', () => {
  const profile = seatbeltProfile({ writablePaths: ['/Users/ann/a "b" \\c'], network: 'host' })
  expect(profile).toContain(String.raw`(subpath "/Users/ann/a \"b\" \\c")`)
  expect(profile).not.toContain('network')
})

test('without files in it, only the network is denied', () => {
  expect(seatbeltProfile({ network: 'none' })).toBe('(version 1)\n(allow default)\n(deny network*)')
  expect(seatbeltCommand({ network: 'none' }, ['ls', '-l']).slice(-3)).toEqual(['--', 'ls', '-l'])
})

test('the intersection of read-only and writable paths has no writable path', () => {
  expect(seatbeltProfile({ readOnly: true, writablePaths: ['/Users/ann'] })).not.toContain('/Users/ann')
})

test.each(['dryRun', 'noDelete', 'noOverwrite', 'noSudo'] as const)('%s is refused by name', (name) => {
  expect(() => seatbeltProfile({ [name]: true })).toThrow(
    expect.objectContaining({
      code: 'restriction_unenforceable',
      details: expect.objectContaining({ restriction: name }),
    }),
  )
})
