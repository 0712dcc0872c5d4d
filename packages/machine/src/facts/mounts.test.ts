import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMountInfo, selectMounts } from './mounts.ts'

const mountsOf = (...lines: string[]) => selectMounts(parseMountInfo(lines.join('\n'))).map(({ mount }) => mount)

test('a line gives device, folder, place, type and file system, whatever optional fields it has', () => {
  const line = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/sda1 rw,errors=continue\n'
  expect(parseMountInfo(line)).toEqual([
    { device: '98:0', root: '/mnt1', mount: '/mnt2', type: 'ext3', filesystem: '/dev/sda1' },
  ])
})

test('octal escapes of the kernel become the characters they stand for', () => {
  const [mount] = parseMountInfo('36 35 98:0 / /mnt/my\\040disk\\134one rw - ext4 /dev/disk\\040by\\011name rw')
  expect(mount?.mount).toBe('/mnt/my disk\\one')
  expect(mount?.filesystem).toBe('/dev/disk by\tname')
})

test('pseudo file systems are left out', () => {
  expect(
    mountsOf(
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
      '2 1 0:2 / /proc rw - proc proc rw',
      '3 1 0:3 / /run rw - tmpfs t rw',
    ),
  ).toEqual(['/', '/run'])
})

test('a file system mounted several times stays once, by its own root before a bind mount of a folder', () => {
  expect(
    mountsOf('1 0 8:1 /srv/data /a rw - ext4 /dev/sda1 rw', '2 0 8:1 / /much/longer rw - ext4 /dev/sda1 rw'),
  ).toEqual(['/much/longer'])
})

test('the root of the system stays, also as an overlay and also as a folder of another mount', () => {
  expect(
    mountsOf('1 0 0:40 / / rw - overlay overlay rw', '2 1 8:1 /x/hosts /etc/hosts rw - ext4 /dev/sda1 rw'),
  ).toEqual(['/', '/etc/hosts'])
  expect(mountsOf('1 0 0:26 /@ / rw - btrfs /dev/sda2 rw', '2 1 0:26 / /pool rw - btrfs /dev/sda2 rw')).toEqual(['/'])
})

test('of two mounts at one place only the upper one is seen', () => {
  const mounts = parseMountInfo('1 0 0:1 / / rw - rootfs rootfs rw\n2 1 8:1 / / rw - ext4 /dev/sda1 rw')
  expect(selectMounts(mounts).map(({ type }) => type)).toEqual(['ext4'])
})

test('no text makes the parser throw', () => {
  const line = fc
    .array(fc.constantFrom('/', ' ', ' - ', '8:1', '\\040', '\\9', 'ext4', '\n'))
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(line, fc.string({ unit: 'binary' })), (text) => void selectMounts(parseMountInfo(text))),
  )
})
