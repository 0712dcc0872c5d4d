import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTcpProxy } from './tcp-proxy.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})
const at = (name: string) => join(folder, name)

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream))
}

async function* pieces(data: Buffer, bytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < data.length; offset += bytes) yield data.subarray(offset, offset + bytes)
}

describe('files of a machine', () => {
  test('are written as text, as bytes and as they come, and read back', async () => {
    const { files } = world.handle
    expect(await files.write(at('text'), 'grüße')).toMatchObject({ size: 7, replaced: false })
    expect(Buffer.from((await files.read(at('text'))).data).toString()).toBe('grüße')
    const data = randomBytes(3_000_001)
    expect(await files.write(at('bytes'), data, { mode: 0o600 })).toMatchObject({
      sha256: createHash('sha256').update(data).digest('hex'),
    })
    expect((await collect(files.readStream(at('bytes')))).equals(data)).toBe(true)
    await files.write(at('stream'), pieces(data, 12_345), { createParents: true })
    const part = files.readStream(at('stream'), { offset: 1_000_000, length: 1_500_000 })
    expect((await collect(part)).equals(data.subarray(1_000_000, 2_500_000))).toBe(true)
    await files.write(at('empty'), '')
    expect(await files.read(at('empty'))).toMatchObject({ size: 0, data: new Uint8Array(0) })
  })

  test('are read 64 KiB at once unless more is asked for, and never more than 8 MiB', async () => {
    const { files } = world.handle
    await writeFile(at('large'), Buffer.alloc(9 * 2 ** 20))
    expect((await files.read(at('large'))).data).toHaveLength(65_536)
    expect((await files.read(at('large'), { length: 8 * 2 ** 20 })).data).toHaveLength(8 * 2 ** 20)
    await expect(files.read(at('large'), { length: 8 * 2 ** 20 + 1 })).rejects.toMatchObject({ code: 'validation' })
    const { data } = await files.read('/proc/self/status', { length: 5 })
    expect(Buffer.from(data).toString()).toBe('Name:')
  })

  test('are described, found, copied, moved and deleted', async () => {
    const { files } = world.handle
    await files.mkdir(at('a/b'), { parents: true, mode: 0o750 })
    await files.write(at('a/b/one.txt'), 'needle in here')
    expect(await files.stat(at('a/b'))).toMatchObject({ type: 'directory', mode: 0o750, name: 'b' })
    await files.copy(at('a'), at('c'), { recursive: true })
    await files.move(at('c/b/one.txt'), at('c/b/two.txt'))
    expect(await files.search(folder, { content: 'needle' })).toMatchObject({
      truncated: false,
      matches: [
        { path: 'a/b/one.txt', line: 1, text: 'needle in here' },
        { path: 'c/b/two.txt', line: 1 },
      ],
    })
    expect(await files.delete(at('c'), { recursive: true })).toBe(3)
    await files.symlink(at('link'), 'a/b')
    expect(await files.list(folder)).toMatchObject({ entries: [{ name: 'a' }, { name: 'link', target: 'a/b' }] })
    expect((await files.tree(folder)).tree.map(({ path }) => path)).toEqual(['', 'a', 'a/b', 'a/b/one.txt', 'link'])
  })

  test('refuse what may not be, with what the client can act on', async () => {
    const { files } = world.handle
    await files.write(at('file'), 'old')
    const { sha256 } = await files.write(at('file'), 'new')
    await expect(files.write(at('file'), 'x', { overwrite: false })).rejects.toMatchObject({ code: 'conflict' })
    await expect(files.write(at('file'), 'x', { ifMatch: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'conflict',
      details: { sha256 },
    })
    await expect(files.write(at('missing/file'), 'x')).rejects.toMatchObject({ code: 'not_found' })
    await expect(files.read('relative')).rejects.toMatchObject({ code: 'validation' })
    // The floor of every policy asks before the machine could refuse it.
    await expect(files.delete('/', { recursive: true })).rejects.toMatchObject({ code: 'approval_required' })
    expect(await readFile(at('file'), 'utf8')).toBe('new')
  })

  test('that are left while they are read, or whose source fails, leave nothing behind', async () => {
    const { files } = world.handle
    await writeFile(at('large'), Buffer.alloc(20_000_000))
    for await (const piece of files.readStream(at('large'))) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    const failing = async function* () {
      yield randomBytes(300_000)
      throw new Error('the source failed')
    }
    await expect(files.write(at('half'), failing())).rejects.toThrow('the source failed')
    const stop = new AbortController()
    const endless = async function* () {
      for (;;) {
        yield randomBytes(100_000)
        stop.abort()
      }
    }
    await expect(files.write(at('half'), endless(), { signal: stop.signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
    await expect.poll(() => readdir(folder)).toEqual(['large'])
  })

  test('are given up at once, also while the source is silent', async () => {
    const silence = Promise.withResolvers<void>()
    const stop = new AbortController()
    const silent = async function* () {
      yield randomBytes(300_000)
      stop.abort()
      await silence.promise
    }
    const writing = world.handle.files.write(at('half'), silent(), { signal: stop.signal })
    await expect(writing).rejects.toMatchObject({ code: 'cancelled' })
    silence.resolve()
    await expect.poll(() => readdir(folder)).toEqual([])
  })

  test('are written as fast as they are taken, and no further ahead', async () => {
    let given = 0
    const gate = Promise.withResolvers<void>()
    const source = async function* () {
      for (; given < 200; given += 1) {
        yield Buffer.alloc(100_000)
        if (given === 100) await gate.promise
      }
    }
    const writing = world.handle.files.write(at('slow'), source())
    await expect.poll(() => given).toBe(100)
    gate.resolve()
    expect(await writing).toMatchObject({ size: 20_000_000 })
  })
})

describe('over a way that is lost', () => {
  test('a stream goes on, and one whose file was replaced meanwhile says so', async () => {
    await using proxy = await startTcpProxy(world.relay.url)
    const { files } = await world.connect({ baseUrl: proxy.url }).machine(world.machine.id)
    const data = randomBytes(12_000_000)
    await writeFile(at('file'), data)
    const whole: Uint8Array[] = []
    for await (const piece of files.readStream(at('file'))) {
      if (whole.push(piece) === 10) proxy.cut()
    }
    expect(Buffer.concat(whole).equals(data)).toBe(true)
    const replaced = (async () => {
      let count = 0
      for await (const _ of files.readStream(at('file'))) {
        if ((count += 1) !== 10) continue
        await world.handle.files.write(at('file'), randomBytes(12_000_000))
        proxy.cut()
      }
    })()
    await expect(replaced).rejects.toMatchObject({ code: 'conflict' })
  })

  test('a write of pieces that come once goes on, and the daemon may restart under it', async () => {
    await using own = await startWorld()
    await using proxy = await startTcpProxy(own.relay.url)
    const { files } = await own.connect({ baseUrl: proxy.url }).machine(own.machine.id)
    const data = randomBytes(12_000_000)
    const source = async function* () {
      for (let offset = 0; offset < data.length; offset += 100_000) {
        if (offset === 3_000_000 || offset === 9_000_000) proxy.cut()
        if (offset === 6_000_000) await own.machine.restart()
        yield data.subarray(offset, offset + 100_000)
      }
    }
    const target = join(await own.folder(), 'file')
    expect(await files.write(target, source(), { overwrite: false })).toMatchObject({ size: data.length })
    expect((await readFile(target)).equals(data)).toBe(true)
  })
})

describe('a transfer', () => {
  test('tells how far it is, and what it did', async () => {
    await mkdir(at('from/inner'), { recursive: true })
    await writeFile(at('from/large'), randomBytes(2_000_000), { mode: 0o755 })
    await writeFile(at('from/inner/small'), 'small')
    const progress: number[] = []
    const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) =>
      progress.push(bytes / totalBytes)
    const options = { recursive: true, onProgress }
    expect(await world.handle.files.upload(at('from'), at('to'), options)).toEqual({
      files: 2,
      directories: 2,
      links: 0,
      bytes: 2_000_005,
      unchangedBytes: 0,
      skipped: [],
      changed: [],
    })
    expect(progress.at(-1)).toBe(1)
    expect(progress).toEqual(progress.toSorted((one, other) => one - other))
    expect((await stat(at('to/large'))).mode & 0o777).toBe(0o755)
    await expect(world.handle.files.upload(at('from'), at('to'))).rejects.toMatchObject({ code: 'validation' })
    await expect(world.handle.files.download(at('to/large'), at('to'))).rejects.toMatchObject({ code: 'conflict' })
    await expect(world.handle.files.upload(at('missing'), at('to'))).rejects.toMatchObject({ code: 'not_found' })
    const keep = { recursive: true, overwrite: false }
    await expect(world.handle.files.download(at('from'), at('to'), keep)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('that is resumed sends nothing that is there already', async () => {
    const data = randomBytes(8_000_000)
    await mkdir(at('from'))
    await writeFile(at('from/a'), data)
    await writeFile(at('from/b'), randomBytes(8_000_000))
    for (const way of ['upload', 'download'] as const) {
      const stop = new AbortController()
      const onProgress = ({ bytes }: { bytes: number }) => bytes > 3_000_000 && stop.abort()
      const options = { recursive: true, resume: true }
      const first = world.handle.files[way](at('from'), at(way), { ...options, onProgress, signal: stop.signal })
      await expect(first).rejects.toMatchObject({ code: 'cancelled' })
      await expect.poll(async () => (await readdir(at(way))).every((name) => name.startsWith('.cmdop-'))).toBe(true)
      expect((await readdir(at(way))).length).toBeGreaterThan(0)
      await world.handle.files[way](at('from'), at(way), options)
      expect((await readFile(at(`${way}/a`))).equals(data)).toBe(true)
      expect((await readdir(at(way))).sort()).toEqual(['a', 'b'])
      expect(await world.handle.files[way](at('from'), at(way), options)).toMatchObject({
        bytes: 16_000_000,
        unchangedBytes: 16_000_000,
      })
    }
  })

  test('of what was half-sent and then spoilt is refused, and begins anew', async () => {
    await writeFile(at('from'), randomBytes(4_000_000))
    const stop = new AbortController()
    const onProgress = ({ bytes }: { bytes: number }) => bytes > 2_000_000 && stop.abort()
    const { files } = world.handle
    const first = files.download(at('from'), at('to'), { resume: true, onProgress, signal: stop.signal })
    await expect(first).rejects.toMatchObject({ code: 'cancelled' })
    const [half = ''] = (await readdir(folder)).filter((name) => name.startsWith('.cmdop-'))
    await writeFile(at(half), Buffer.alloc(2_000_000))
    await expect(files.download(at('from'), at('to'), { resume: true })).rejects.toMatchObject({ code: 'integrity' })
    await files.download(at('from'), at('to'), { resume: true })
    expect((await readFile(at('to'))).equals(await readFile(at('from')))).toBe(true)
  })

  test('goes from one machine to another', async () => {
    const other = await world.client.machine((await world.addMachine('other')).id)
    await mkdir(at('from'))
    await writeFile(at('from/file'), randomBytes(3_000_000))
    const to = { files: other.files, path: at('to') }
    expect(await world.handle.files.copyTo(at('from'), to, { recursive: true })).toMatchObject({
      files: 1,
      bytes: 3_000_000,
    })
    expect((await readFile(at('to/file'))).equals(await readFile(at('from/file')))).toBe(true)
  })

  test('writes through no link that an earlier one brought', async () => {
    const { files } = world.handle
    await writeFile(at('outside'), 'mine')
    await mkdir(at('from'))
    await symlink(at('outside'), at('from/name'))
    const ways = {
      download: () => files.download(at('from'), at('download'), { recursive: true }),
      copy: () => files.copyTo(at('from'), { files, path: at('copy') }, { recursive: true }),
    }
    for (const way of Object.values(ways)) await way()
    await rm(at('from/name'))
    await writeFile(at('from/name'), 'other')
    for (const [name, way] of Object.entries(ways)) {
      await way()
      expect(await readFile(at(`${name}/name`), 'utf8')).toBe('other')
    }
    expect(await readFile(at('outside'), 'utf8')).toBe('mine')
  })
})
