import { expect, test } from 'vitest'
import { toDisk } from './disks.ts'

const mount = { device: '8:1', root: '/', mount: '/', type: 'ext4', filesystem: '/dev/sda1' }

test('sizes are bytes, and the percentage is of what an ordinary user may use, rounded up as df does', () => {
  expect(toDisk(mount, { blockBytes: 4096, blocks: 1000, free: 800, available: 750 })).toEqual({
    mount: '/',
    filesystem: '/dev/sda1',
    type: 'ext4',
    totalBytes: 4_096_000,
    usedBytes: 819_200,
    availableBytes: 3_072_000,
    usedPercent: 22,
  })
})

test('a full file system that says less than nothing is free is at 100 percent', () => {
  const disk = toDisk(mount, { blockBytes: 1024, blocks: 1000, free: 10, available: 2 ** 64 - 40 })
  expect(disk).toMatchObject({ availableBytes: 0, usedPercent: 100 })
})

test('a file system without blocks is no disk', () => {
  expect(toDisk(mount, { blockBytes: 4096, blocks: 0, free: 0, available: 0 })).toBeNull()
})
