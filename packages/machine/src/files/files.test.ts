import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listDirectory } from './list-directory.ts'
import { readFilePart } from './read-file.ts'

let folder = ''
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-files-'))
  await writeFile(at('file'), 'abcdefgh', { mode: 0o640 })
  await writeFile(at('empty'), '')
  await mkdir(at('inner'))
  await symlink('nowhere', at('link'))
  await symlink('loop', at('loop'))
  execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', at('fifo')])
})
afterAll(() => rm(folder, { recursive: true }))

describe('a part of a file', () => {
  const read = (path: string, offset = 0, length = 100) => readFilePart({ path, offset, length })

  test('is what lies between its bounds, with the size of the whole', async () => {
    expect(await read(at('file'))).toMatchObject({ data: Buffer.from('abcdefgh'), size: 8 })
    expect(await read(at('file'), 2, 3)).toMatchObject({ data: Buffer.from('cde'), size: 8 })
    expect((await read(at('file'), 6, 100)).data.toString()).toBe('gh')
    expect(await read(at('empty'))).toMatchObject({ data: Buffer.alloc(0), size: 0 })
    expect(await read(at('file'), 3, 0)).toMatchObject({ data: Buffer.alloc(0), size: 8 })
  })

  test('behind the end is empty, and does not make the file larger', async () => {
    expect(await read(at('file'), 100, 5)).toMatchObject({ data: Buffer.alloc(0), size: 8 })
  })

  test('of a file that says it is empty is read all the same', async () => {
    expect(Buffer.from((await read('/proc/self/status', 0, 10_000)).data).toString()).toMatch(/^Name:/)
  })

  test('of what is no regular file is refused, without waiting for a writer', async () => {
    for (const path of [at('fifo'), at('inner'), '/dev/null']) {
      await expect(read(path)).rejects.toMatchObject({ code: 'validation' })
    }
  })

  test('that cannot be read says why', async () => {
    await expect(read(at('missing'))).rejects.toMatchObject({ code: 'not_found', details: { errno: 'ENOENT' } })
    await expect(read(at('link'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(read(at('file/inner'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(read(at('loop'))).rejects.toMatchObject({ code: 'validation' })
    await expect(read(`/${'x'.repeat(300)}`)).rejects.toMatchObject({ code: 'validation' })
  })
})

describe('a directory', () => {
  test('is listed in byte order, links as themselves', async () => {
    const { entries, nextCursor } = await listDirectory({ path: folder, limit: 100 })
    expect(entries.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'empty file',
      'fifo other',
      'file file',
      'inner directory',
      'link symlink',
      'loop symlink',
    ])
    expect(entries[2]).toMatchObject({ size: 8, mode: 0o640, modifiedAt: expect.stringMatching(/^\d{4}-.*Z$/) })
    expect(nextCursor).toBeUndefined()
  })

  test('is listed page by page, each entry once', async () => {
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await listDirectory({ path: folder, limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      names.push(...page.entries.map(({ name }) => name))
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(names).toEqual(['empty', 'fifo', 'file', 'inner', 'link', 'loop'])
  })

  test('that is none, or a cursor that is none, is refused', async () => {
    await expect(listDirectory({ path: at('missing'), limit: 5 })).rejects.toMatchObject({ code: 'not_found' })
    await expect(listDirectory({ path: at('file'), limit: 5 })).rejects.toMatchObject({ code: 'not_found' })
    await expect(listDirectory({ path: folder, limit: 5, cursor: '!' })).rejects.toMatchObject({ code: 'validation' })
  })
})
