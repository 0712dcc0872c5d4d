import { createHash } from 'node:crypto'
import { chmod, link, lstat, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Channel } from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FileWorld, startFileWorld } from '../testing/file-calls.ts'
import { TemporaryFiles } from './temporary-files.ts'

let world: FileWorld
const at = (name: string) => join(world.folder, name)
beforeEach(async () => {
  world = await startFileWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

interface Upload {
  readonly channel: Channel
  readonly offset: number
}

async function begin(params: Record<string, unknown>, callId?: string): Promise<Upload> {
  const ready = Promise.withResolvers<number>()
  const channel = world.open('file.write', params, callId === undefined ? {} : { callId })
  channel.onControl = (message) => ready.resolve((message as { offset: number }).offset)
  channel.over.catch(ready.reject)
  return { channel, offset: await ready.promise }
}

async function commit({ channel }: Upload, content: { size: number; sha256?: string }): Promise<unknown> {
  await channel.control({ type: 'commit', ...content })
  await channel.end()
  return channel.finished
}

async function write(text: string | Buffer, params: Record<string, unknown>): Promise<unknown> {
  const upload = await begin(params)
  await upload.channel.send(1, Buffer.from(text))
  return commit(upload, { size: Buffer.from(text).length })
}

const refused = (params: Record<string, unknown>) =>
  begin(params).then(
    () => 'ready',
    (error: { code: string }) => error.code,
  )

describe('a file that is written', () => {
  test('is put in place whole, with its hash in the answer', async () => {
    const written = await write('new', { path: at('file') })
    expect(written).toMatchObject({ size: 3, sha256: sha256('new'), replaced: false })
    expect(await readFile(at('file'), 'utf8')).toBe('new')
    expect((await stat(at('file'))).mode & 0o777).toBe(0o644 & ~process.umask())
    expect(await readdir(world.folder)).toEqual(['file'])
    expect(await readdir(world.notes)).toEqual([])
  })

  test('is large, and arrives byte by byte as it was', async () => {
    const data = Buffer.alloc(5_000_001, 'abcdefghijk')
    expect(await write(data, { path: at('large'), size: data.length, sha256: sha256(data) })).toMatchObject({
      sha256: sha256(data),
    })
    expect((await readFile(at('large'))).equals(data)).toBe(true)
  })

  test('keeps the mode of the one it replaces unless it is given one, and leaves its other names alone', async () => {
    await writeFile(at('file'), 'old')
    await chmod(at('file'), 0o751)
    await link(at('file'), at('other name'))
    expect(await write('new', { path: at('file') })).toMatchObject({ replaced: true })
    expect((await stat(at('file'))).mode & 0o7777).toBe(0o751)
    expect(await readFile(at('other name'), 'utf8')).toBe('old')
    await write('new', { path: at('file'), mode: 0o600, modifiedAt: '2001-02-03T04:05:06.789Z' })
    expect(await stat(at('file'))).toMatchObject({ mode: 0o100600, mtime: new Date('2001-02-03T04:05:06.789Z') })
  })

  test('is never seen half, and nothing of it stays when its client gives up', async () => {
    await writeFile(at('file'), 'old')
    const { channel } = await begin({ path: at('file') })
    await channel.send(1, Buffer.alloc(300_000))
    expect(await readFile(at('file'), 'utf8')).toBe('old')
    await channel.end()
    await expect(channel.over).rejects.toMatchObject({ code: 'cancelled' })
    expect(await readdir(world.folder)).toEqual(['file'])
    expect(await readFile(at('file'), 'utf8')).toBe('old')
  })

  test('that must not replace anything does not, also when something comes there meanwhile', async () => {
    const upload = await begin({ path: at('file'), overwrite: false })
    await upload.channel.send(1, Buffer.from('mine'))
    await writeFile(at('file'), 'theirs')
    await expect(commit(upload, { size: 4 })).rejects.toMatchObject({ code: 'conflict' })
    expect(await readFile(at('file'), 'utf8')).toBe('theirs')
    expect(await refused({ path: at('file'), overwrite: false })).toBe('conflict')
    expect(await refused({ path: at('file'), ifMatch: null })).toBe('conflict')
    expect(await readdir(world.folder)).toEqual(['file'])
  })

  test('over a content that is known is refused over any other, at the beginning and at the end', async () => {
    await writeFile(at('file'), 'old')
    expect(await refused({ path: at('file'), ifMatch: sha256('older') })).toBe('conflict')
    expect(await refused({ path: at('missing'), ifMatch: sha256('older') })).toBe('not_found')
    expect(await write('new', { path: at('file'), ifMatch: sha256('old') })).toMatchObject({ replaced: true })
    const upload = await begin({ path: at('file'), ifMatch: sha256('new') })
    await writeFile(at('file'), 'changed meanwhile')
    await expect(commit(upload, { size: 0 })).rejects.toMatchObject({ code: 'conflict' })
    expect(await readFile(at('file'), 'utf8')).toBe('changed meanwhile')
  })

  test('of another hash or size than was announced is not put in place', async () => {
    const wrong = await begin({ path: at('file') })
    await wrong.channel.send(1, Buffer.from('content'))
    await expect(commit(wrong, { size: 7, sha256: sha256('else') })).rejects.toMatchObject({ code: 'integrity' })
    const short = await begin({ path: at('file') })
    await short.channel.send(1, Buffer.from('content'))
    await expect(commit(short, { size: 8 })).rejects.toMatchObject({ code: 'integrity' })
    const announced = await begin({ path: at('file'), size: 3 })
    await announced.channel.send(1, Buffer.from('content'))
    await expect(commit(announced, { size: 7 })).rejects.toMatchObject({ code: 'integrity' })
    expect(await readdir(world.folder)).toEqual([])
    expect(await readdir(world.notes)).toEqual([])
  })

  test('for which there is no space is refused before it is sent', async () => {
    expect(await refused({ path: at('file'), size: 2 ** 52 })).toBe('no_space')
    expect(await readdir(world.folder)).toEqual([])
  })

  test('goes through a link to the file behind it, and not through one that leads nowhere', async () => {
    await mkdir(at('inner'))
    await writeFile(at('inner/file'), 'old')
    await symlink('inner/file', at('link'))
    await symlink('link', at('link to link'))
    await symlink('nowhere', at('dangling'))
    await symlink('loop', at('loop'))
    expect(await write('new', { path: at('link to link') })).toMatchObject({ replaced: true })
    expect(await readFile(at('inner/file'), 'utf8')).toBe('new')
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
    expect(await refused({ path: at('dangling') })).toBe('conflict')
    expect(await refused({ path: at('loop') })).toBe('validation')
    expect(await refused({ path: at('link'), overwrite: false })).toBe('conflict')
  })

  test('replaces a link that it must not follow, and takes over nothing of it', async () => {
    await writeFile(at('file'), 'old')
    await symlink('file', at('link'))
    expect(await write('new', { path: at('link'), follow: false })).toMatchObject({ replaced: true })
    expect(await readFile(at('file'), 'utf8')).toBe('old')
    expect((await lstat(at('link'))).mode).toBe(0o100644 & ~process.umask())
    await mkdir(at('folder'))
    expect(await refused({ path: at('folder'), follow: false })).toBe('conflict')
  })

  test('into a directory that is missing is refused, unless it is to be made', async () => {
    expect(await refused({ path: at('a/b/file') })).toBe('not_found')
    expect(await write('new', { path: at('a/b/file'), createParents: true })).toMatchObject({ size: 3 })
    expect(await readFile(at('a/b/file'), 'utf8')).toBe('new')
  })

  test('at a directory, or at no name, is refused', async () => {
    await mkdir(at('folder'))
    expect(await refused({ path: at('folder') })).toBe('conflict')
    for (const path of ['/', `${world.folder}/.`, `${world.folder}/..`])
      expect(await refused({ path })).toBe('validation')
  })
})

describe('an upload whose connection is lost', () => {
  test('goes on where it was, under the same call id only', async () => {
    const data = Buffer.alloc(1_000_000, 'abcdefg')
    const first = await begin({ path: at('file') }, 'call_resumed')
    await first.channel.send(1, data.subarray(0, 400_000))
    await world.cut()
    expect((await begin({ path: at('file') }, 'call_another')).offset).toBe(0)
    const again = await begin({ path: at('file') }, 'call_resumed')
    expect(again.offset).toBeGreaterThan(0)
    expect(again.offset).toBeLessThanOrEqual(400_000)
    await again.channel.send(1, data.subarray(again.offset))
    expect(await commit(again, { size: data.length, sha256: sha256(data) })).toMatchObject({ size: data.length })
    expect((await readFile(at('file'))).equals(data)).toBe(true)
  })

  test('that was complete answers the same again, and writes nothing', async () => {
    const upload = await begin({ path: at('file'), overwrite: false }, 'call_complete')
    await upload.channel.send(1, Buffer.from('once'))
    const written = await commit(upload, { size: 4 })
    await world.cut()
    const again = await begin({ path: at('file'), overwrite: false }, 'call_complete')
    expect(again.offset).toBe(4)
    expect(await commit(again, { size: 4 })).toEqual(written)
  })

  test('is taken over by the next channel of the same call while the lost one still counts', async () => {
    const first = await begin({ path: at('file') }, 'call_taken')
    await first.channel.send(1, Buffer.from('half'))
    const second = await begin({ path: at('file') }, 'call_taken')
    await expect(first.channel.over).rejects.toMatchObject({ code: 'conflict' })
    expect(second.offset).toBe(4)
    await second.channel.send(1, Buffer.from(' and half'))
    expect(await commit(second, { size: 13 })).toMatchObject({ sha256: sha256('half and half') })
  })

  test('is found by the next start of the daemon, and removed when it is old enough', async () => {
    const { channel } = await begin({ path: at('file') })
    await channel.send(1, Buffer.alloc(300_000))
    await world.cut()
    await expect.poll(() => readdir(world.folder)).toEqual([expect.stringMatching(/^\.cmdop-[0-9a-f]{32}\.part$/)])
    const young = new TemporaryFiles(world.notes)
    await young.removeLeftovers()
    young.close()
    expect(await readdir(world.folder)).toHaveLength(1)
    const old = new TemporaryFiles(world.notes, 0)
    await old.removeLeftovers()
    await expect.poll(() => readdir(world.folder)).toEqual([])
    await expect.poll(() => readdir(world.notes)).toEqual([])
  })

  test('leaves notes that lead to nothing else: only a temporary of ours is ever removed', async () => {
    await mkdir(world.notes, { recursive: true })
    await writeFile(at('precious'), 'kept')
    await writeFile(
      join(world.notes, 'evil.json'),
      JSON.stringify({ path: Buffer.from(at('precious')).toString('base64') }),
    )
    await new TemporaryFiles(world.notes, 0).removeLeftovers()
    expect(await readdir(world.notes)).toEqual([])
    expect(await readFile(at('precious'), 'utf8')).toBe('kept')
  })
})
