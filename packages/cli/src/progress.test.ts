import { expect, test } from 'vitest'
import { formatProgress, showProgress } from './progress.ts'

test('says how far a transfer is, in units a person reads, and no control sequence', () => {
  const progress = { path: 'a\u001b[2J\nb', bytes: 1_234_000, totalBytes: 10_000_000, files: 1, totalFiles: 3 }
  expect(formatProgress(progress, 2000)).toBe('12 %  1.2 MB of 10 MB  617 kB/s  1 of 3 files  a\u{fffd}[2J b')
  expect(formatProgress({ path: 'x', bytes: 0, totalBytes: 0, files: 0, totalFiles: 1 }, 0)).toBe(
    '100 %  0 B of 0 B  0 B/s  x',
  )
})

test('draws nothing where there is no terminal', () => {
  expect(showProgress({ isTTY: false } as NodeJS.WriteStream)).toBeUndefined()
})
