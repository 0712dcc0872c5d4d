import { link, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { transfer, type TransferOptions } from '../transfer/transfer.ts'
import { LocalStore } from './local-store.ts'
import { temporaryBeside } from './write-local.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-write-'))
})
afterEach(() => rm(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
const store = new LocalStore()
const end = (name: string) => ({ store, path: Buffer.from(at(name)) })
const copy = (from: string, to: string, options: TransferOptions = {}) => transfer(end(from), end(to), options)

describe('a tree that is copied again', () => {
  test.each([false, true])('writes through no link that the first copy put there (resume: %s)', async (resume) => {
    await writeFile(at('outside'), 'mine!')
    await mkdir(at('from'))
    await symlink(at('outside'), at('from/name'))
    await copy('from', 'to', { recursive: true, resume })
    await rm(at('from/name'))
    // With `resume` the same content behind the link is no reason to leave it there.
    await writeFile(at('from/name'), resume ? 'mine!' : 'other')
    await copy('from', 'to', { recursive: true, resume })
    expect(await readFile(at('outside'), 'utf8')).toBe('mine!')
    expect((await lstat(at('to/name'))).isFile()).toBe(true)
    expect(await readFile(at('to/name'), 'utf8')).toBe(resume ? 'mine!' : 'other')
  })

  test('goes into no directory behind such a link', async () => {
    await mkdir(at('outside'))
    await mkdir(at('from'))
    await symlink(at('outside'), at('from/dir'))
    await copy('from', 'to', { recursive: true })
    await rm(at('from/dir'))
    await mkdir(at('from/dir'))
    await writeFile(at('from/dir/x'), 'x')
    await expect(copy('from', 'to', { recursive: true, createParents: true })).rejects.toMatchObject({
      code: 'conflict',
    })
    expect(await readdir(at('outside'))).toEqual([])
  })
})

test('one file is written through the link that its destination is', async () => {
  await writeFile(at('file'), 'old')
  await writeFile(at('from'), 'new')
  await symlink('file', at('link'))
  await copy('from', 'link')
  expect(await readFile(at('file'), 'utf8')).toBe('new')
})

describe('what lies where a resumed copy would have been left', () => {
  const partial = async () => {
    const [entry] = (await store.list(Buffer.from(at('from')), { recursive: false, signal: AbortSignal.any([]) }))
      .entries
    if (entry === undefined) throw new Error('There is no file.')
    return temporaryBeside(Buffer.from(at('to')), store.content(Buffer.from(at('from')), entry).identity)
  }

  test('is gone on with where it is a file of our own', async () => {
    await writeFile(at('from'), 'whole content')
    await writeFile(await partial(), 'WHOLE')
    await copy('from', 'to', { resume: true })
    expect(await readFile(at('to'), 'utf8')).toBe('WHOLE content')
  })

  test.each([
    ['a link', (path: Buffer) => symlink(at('outside'), path)],
    ['another name of a file', (path: Buffer) => link(at('outside'), path)],
    ['a directory', (path: Buffer) => mkdir(path)],
  ])('is replaced where it is %s', async (_, plant) => {
    await writeFile(at('from'), 'whole content')
    await writeFile(at('outside'), 'mine')
    await plant(await partial())
    await copy('from', 'to', { resume: true })
    expect(await readFile(at('to'), 'utf8')).toBe('whole content')
    expect((await lstat(at('to'))).nlink).toBe(1)
    expect(await readFile(at('outside'), 'utf8')).toBe('mine')
    expect((await readdir(folder)).sort()).toEqual(['from', 'outside', 'to'])
  })
})
