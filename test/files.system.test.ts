import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lstat, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

/** A file system of its own, with this many bytes. Needs root. */
async function mountDisk(world: World, bytes: number): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await world.folder()
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path])
  return { path, [Symbol.asyncDispose]: async () => void execFileSync('/usr/bin/umount', [path]) }
}

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

test('a file for which the disk has no room is not put in place, and nothing of it stays', async () => {
  const { files } = world.handle
  await using disk = await mountDisk(world, 4 * 2 ** 20)
  const path = join(disk.path, 'file')
  await files.write(path, 'old')
  const large = randomBytes(6 * 2 ** 20)
  const surprise = async function* () {
    for (let offset = 0; offset < large.length; offset += 65_536) yield large.subarray(offset, offset + 65_536)
  }
  // Once announced, and once only noticed as it comes.
  await expect(files.write(path, large)).rejects.toMatchObject({ code: 'no_space' })
  await expect(files.write(path, surprise())).rejects.toMatchObject({ code: 'no_space', details: { errno: 'ENOSPC' } })
  const source = join(await world.folder(), 'large')
  await writeFile(source, large)
  await expect(files.copy(source, join(disk.path, 'copy'))).rejects.toMatchObject({ code: 'no_space' })
  await expect(files.move(source, join(disk.path, 'moved'))).rejects.toMatchObject({ code: 'no_space' })
  await expect(files.download(source, join(disk.path, 'down'))).rejects.toMatchObject({ code: 'no_space' })
  expect(await readdir(disk.path)).toEqual(['file'])
  expect(await readFile(path, 'utf8')).toBe('old')
  expect((await readFile(source)).equals(large)).toBe(true)
  expect(await files.write(path, 'new')).toMatchObject({ size: 3 })
})

test('a move onto another file system takes owner, mode, times and links along', async () => {
  const { files } = world.handle
  await using disk = await mountDisk(world, 16 * 2 ** 20)
  const folder = await world.folder()
  const script = `mkdir -p from/inner && cd from && echo text > inner/file && ln -s nowhere link &&
    chown 12345:54321 inner/file && chmod 4750 inner/file && touch -d 2001-02-03 inner/file inner`
  execFileSync('/bin/sh', ['-c', script], { cwd: folder })
  await files.move(join(folder, 'from'), join(disk.path, 'to'), { recursive: true })
  expect(await readdir(folder)).toEqual([])
  expect(await stat(join(disk.path, 'to/inner/file'))).toMatchObject({
    uid: 12_345,
    gid: 54_321,
    mode: 0o104750,
    mtime: new Date('2001-02-03 00:00'),
  })
  expect((await stat(join(disk.path, 'to/inner'))).mtime).toEqual(new Date('2001-02-03 00:00'))
  expect((await lstat(join(disk.path, 'to/link'))).isSymbolicLink()).toBe(true)
  await files.write(join(disk.path, 'in the way'), '')
  await writeFile(join(folder, 'file'), 'kept')
  const blocked = files.move(join(folder, 'file'), join(disk.path, 'in the way'))
  await expect(blocked).rejects.toMatchObject({ code: 'conflict' })
  expect((await readdir(disk.path)).sort()).toEqual(['in the way', 'to'])
})

test('a replaced file keeps its owner', async () => {
  const path = join(await world.folder(), 'file')
  await writeFile(path, 'old')
  execFileSync('chown', ['12345:54321', path])
  await world.handle.files.write(path, 'new')
  expect(await stat(path)).toMatchObject({ uid: 12_345, gid: 54_321 })
  expect(await readFile(path, 'utf8')).toBe('new')
})
