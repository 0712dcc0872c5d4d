import { expect, test } from 'vitest'
import { dataMounts, isWithin, parseMounts } from './mount-table.ts'

const table = String.raw`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 23 0:22 / /proc/fs/nfsd rw - tmpfs nfsd rw
25 22 0:23 / /home/ann\040b rw - ext4 /dev/vdb rw
26 25 0:24 / /home/ann\040b/deep/er ro,nodev - xfs /dev/vdc rw
27 22 0:25 / /mnt rw - ext4 /dev/vdd rw
28 27 0:26 / /mnt rw - tmpfs top ro
29 22 0:27 / /run/user/0/doc rw - fuse.portal portal rw
`

test('mounts with data are given, shallow first, the top one of a stack, without those of the kernel', () => {
  expect(dataMounts(table).map(({ path, type, readOnly }) => [path, type, readOnly])).toEqual([
    ['/mnt', 'tmpfs', true],
    ['/home/ann b', 'ext4', false],
    ['/home/ann b/deep/er', 'xfs', true],
    ['/run/user/0/doc', 'fuse.portal', false],
  ])
})

test('a line without optional fields is read', () => {
  expect(parseMounts(table)[1]).toEqual({ path: '/proc', type: 'proc', readOnly: false, options: ['rw', 'nosuid'] })
})

test('a path is within itself, its parents and the root, and not within a neighbour', () => {
  expect([isWithin('/a/b', '/a/b'), isWithin('/a/b', '/a'), isWithin('/a', '/'), isWithin('/ab', '/a')]).toEqual([
    true,
    true,
    true,
    false,
  ])
})
