import { expect, test } from 'vitest'
import { checkEntries } from './check-entries.ts'
import type { StoredEntry } from './store.ts'

function listing(...entries: [path: string, type: StoredEntry['type']][]): StoredEntry[] {
  const rest = { size: 0, mode: 0o644, modifiedAt: '2030-01-01T00:00:00.000Z', version: '1' }
  return entries.map(([path, type]) => ({ ...rest, type, below: Buffer.from(path) }))
}

test('a listing whose every entry is in a directory of it is fine', () => {
  const tree = listing(['', 'directory'], ['a', 'directory'], ['a/ü', 'directory'], ['a/ü/x', 'file'], ['l', 'symlink'])
  expect(checkEntries(tree)).toBe(tree)
  expect(checkEntries(listing(['', 'file']))).toHaveLength(1)
})

test.each([
  ['a name that leads up', listing(['', 'directory'], ['..', 'directory'], ['../x', 'file'])],
  ['an absolute path', listing(['', 'directory'], ['/etc/x', 'file'])],
  ['a NUL', listing(['', 'directory'], ['a\0', 'file'])],
  ['a directory that it does not name', listing(['', 'directory'], ['dir/x', 'file'])],
  ['a link as a directory', listing(['', 'directory'], ['dir', 'symlink'], ['dir/x', 'file'])],
  ['a file as a root with something in it', listing(['', 'file'], ['x', 'file'])],
  ['no root', listing(['x', 'file'])],
  ['a link as its root', listing(['', 'symlink'])],
])('a listing with %s is refused', (_, entries) => {
  expect(() => checkEntries(entries)).toThrow(expect.objectContaining({ code: 'protocol' }))
})
