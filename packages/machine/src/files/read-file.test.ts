import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, open, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FileWorld, startFileWorld } from '../testing/file-calls.ts'

let world: FileWorld
const at = (name: string) => join(world.folder, name)
beforeAll(async () => {
  world = await startFileWorld()
  await writeFile(at('file'), 'abcdefgh', { mode: 0o640 })
  await writeFile(at('empty'), '')
  await mkdir(at('inner'))
  await symlink('nowhere', at('link'))
  await symlink('loop', at('loop'))
  execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', at('fifo')])
})
afterAll(() => world[Symbol.asyncDispose]())

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
const read = async (path: string, params: Record<string, unknown> = {}) => {
  const { data, end } = await world.read(world.open('file.read', { path, ...params }))
  return { text: data.toString(), ...(end as { size: number; version: string; sha256: string }) }
}

/** Begins to read, and stops when the first content is there: the rest waits for credit. */
async function beginReading(path: string) {
  const channel = world.open('file.read', { path })
  const started = Promise.withResolvers<{ version: string }>()
  channel.onControl = (message) => started.resolve(message as { version: string })
  const iterator = channel[Symbol.asyncIterator]()
  const first = (await iterator.next()).value as { data: Uint8Array }
  return {
    ...(await started.promise),
    finish: async () => {
      const { data, end } = await world.read(channel)
      return { bytes: first.data.length + data.length, ...(end as { version: string; size: number }) }
    },
  }
}

describe('a file that is read', () => {
  test('comes from its offset, as long as was asked for, with size and hash', async () => {
    expect(await read(at('file'))).toMatchObject({ text: 'abcdefgh', size: 8, sha256: sha256('abcdefgh') })
    expect(await read(at('file'), { offset: 2, length: 3 })).toMatchObject({
      text: 'cde',
      size: 8,
      sha256: sha256('cde'),
    })
    expect(await read(at('file'), { offset: 6, length: 100 })).toMatchObject({ text: 'gh' })
    expect(await read(at('empty'))).toMatchObject({ text: '', size: 0 })
    expect(await read(at('file'), { offset: 3, length: 0 })).toMatchObject({ text: '', size: 8 })
    expect(await read(at('file'), { offset: 100 })).toMatchObject({ text: '', size: 8 })
  })

  test('is hashed from where it is asked for, without being sent', async () => {
    expect(await read(at('file'), { offset: 6, hashFrom: 0 })).toMatchObject({ text: 'gh', sha256: sha256('abcdefgh') })
    expect(await read(at('file'), { offset: 8, hashFrom: 1 })).toMatchObject({ text: '', sha256: sha256('bcdefgh') })
    await expect(read(at('file'), { offset: 1, hashFrom: 2 })).rejects.toMatchObject({ code: 'validation' })
  })

  test('that says it is empty is read all the same', async () => {
    const status = await read('/proc/self/status')
    expect(status.text).toMatch(/^Name:/)
    expect(status.size).toBe(status.text.length)
  })

  test('that is no regular file is refused, without waiting for a writer', async () => {
    for (const path of [at('fifo'), at('inner'), '/dev/null']) {
      await expect(read(path)).rejects.toMatchObject({ code: 'validation' })
    }
  })

  test('and cannot be says why', async () => {
    await expect(read(at('missing'))).rejects.toMatchObject({ code: 'not_found', details: { errno: 'ENOENT' } })
    await expect(read(at('link'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(read(at('file/inner'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(read(at('loop'))).rejects.toMatchObject({ code: 'validation' })
    await expect(read(`/${'x'.repeat(300)}`)).rejects.toMatchObject({ code: 'validation' })
  })

  test('has a name that need not be UTF-8', async () => {
    const name = Buffer.concat([Buffer.from(`${world.folder}/`), Buffer.from([0xff, 0x0a, 0x41])])
    await writeFile(name, 'odd')
    const { data } = await world.read(world.open('file.read', { path: { base64: name.toString('base64') } }))
    expect(data.toString()).toBe('odd')
    expect(await world.ask('file.list', { path: world.folder })).toMatchObject({
      entries: expect.arrayContaining([expect.objectContaining({ nameBase64: '/wpB', size: 3 })]),
    })
  })

  test('is read on as it was when it is replaced, and another one by its version', async () => {
    await writeFile(at('large'), Buffer.alloc(5_000_000, 'a'))
    const reading = await beginReading(at('large'))
    await writeFile(at('other'), 'new')
    await rename(at('other'), at('large'))
    expect(await reading.finish()).toMatchObject({ bytes: 5_000_000, size: 5_000_000, version: reading.version })
    await expect(read(at('large'), { ifVersion: reading.version })).rejects.toMatchObject({ code: 'conflict' })
  })

  test('ends early when it is cut short, and its version tells', async () => {
    await writeFile(at('large'), Buffer.alloc(5_000_000, 'a'))
    const reading = await beginReading(at('large'))
    await truncate(at('large'), 1)
    const { bytes, version } = await reading.finish()
    expect(bytes).toBeLessThan(5_000_000)
    expect(version).not.toBe(reading.version)
  })

  test('and grows is read to where it ended when it was opened', async () => {
    await writeFile(at('large'), Buffer.alloc(5_000_000, 'a'))
    const reading = await beginReading(at('large'))
    await appendFile(at('large'), 'more')
    expect(await reading.finish()).toMatchObject({ bytes: 5_000_000, size: 5_000_000 })
  })

  test('holds nothing open once its reader is gone', async () => {
    const path = at('held')
    await writeFile(path, Buffer.alloc(5_000_000))
    await beginReading(path)
    await world.cut()
    await expect
      .poll(() => execFileSync('/bin/sh', ['-c', `ls -l /proc/${process.pid}/fd`]).toString())
      .not.toContain(path)
  })

  test('and has holes has its whole size, and is smaller on the disk', async () => {
    await using file = await open(at('sparse'), 'w')
    await file.truncate(3 * 2 ** 30)
    const entry = await world.ask('file.stat', { path: at('sparse') })
    expect(entry).toMatchObject({ size: 3 * 2 ** 30, allocatedBytes: 0 })
    const end = await read(at('sparse'), { offset: 3 * 2 ** 30 - 3 })
    expect(end).toMatchObject({ text: '\0\0\0', size: 3 * 2 ** 30 })
  })
})

describe('a directory', () => {
  test('is listed page by page in byte order, links as themselves', async () => {
    await using own = await startFileWorld()
    for (const name of ['b', 'a', 'c', 'B']) await writeFile(join(own.folder, name), name, { mode: 0o640 })
    await symlink('nowhere', join(own.folder, 'link'))
    const found: { name: string; type: string }[] = []
    let cursor: string | undefined
    do {
      const page = (await own.ask('file.list', { path: own.folder, limit: 2, ...(cursor && { cursor }) })) as {
        entries: typeof found
        nextCursor?: string
      }
      found.push(...page.entries)
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(found.map(({ name }) => name)).toEqual(['B', 'a', 'b', 'c', 'link'])
    expect(found[1]).toMatchObject({ size: 1, mode: 0o640, modifiedAt: expect.stringMatching(/^\d{4}-.*Z$/) })
    expect(found[4]).toMatchObject({ type: 'symlink', target: 'nowhere' })
  })

  test('that is none, or a cursor that is none, is refused', async () => {
    const list = (params: object) => world.ask('file.list', { limit: 5, ...params })
    await expect(list({ path: at('missing') })).rejects.toMatchObject({ code: 'not_found' })
    await expect(list({ path: at('file') })).rejects.toMatchObject({ code: 'not_found' })
    await expect(list({ path: world.folder, cursor: '!' })).rejects.toMatchObject({ code: 'validation' })
  })
})
