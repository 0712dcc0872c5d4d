import { execFileSync } from 'node:child_process'
import {
  chmod,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  rename,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FileWorld, startFileWorld } from '../testing/file-calls.ts'

let world: FileWorld
const at = (name: string) => join(world.folder, name)
beforeEach(async () => {
  world = await startFileWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

const refused = (method: Parameters<FileWorld['ask']>[0], params: Record<string, unknown>) =>
  world.ask(method, params).then(
    () => 'done',
    (error: { code: string }) => error.code,
  )
const names = async () => (await readdir(world.folder, { recursive: true })).sort()

/** A directory with everything that can be in one. */
async function fill(folder: string): Promise<void> {
  await mkdir(`${folder}/inner/empty`, { recursive: true })
  await writeFile(`${folder}/inner/file`, 'content')
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xfe, 0x0a])]), 'odd name')
  await symlink('..', `${folder}/inner/up`)
  await symlink('nowhere', `${folder}/dangling`)
}

describe('an entry', () => {
  test('is described itself, or what a link leads to', async () => {
    await writeFile(at('file'), 'abc', { mode: 0o640 })
    await symlink('file', at('link'))
    expect(await world.ask('file.stat', { path: at('link') })).toMatchObject({ type: 'symlink', target: 'file' })
    expect(await world.ask('file.stat', { path: at('link'), follow: true })).toMatchObject({
      type: 'file',
      size: 3,
      mode: 0o640,
    })
    expect(await refused('file.stat', { path: at('missing') })).toBe('not_found')
  })

  test('has another version when its content changes', async () => {
    await writeFile(at('file'), 'abc')
    const { version } = (await world.ask('file.stat', { path: at('file') })) as { version: string }
    await utimes(at('file'), 1, 1)
    expect(await world.ask('file.stat', { path: at('file') })).not.toMatchObject({ version })
  })

  test('is given mode and time; a link is not followed for it', async () => {
    await writeFile(at('file'), '')
    await symlink('file', at('link'))
    const change = { mode: 0o4750, modifiedAt: '2001-02-03T04:05:06.000Z' }
    expect(await world.ask('file.change', { path: at('file'), ...change })).toMatchObject(change)
    expect(await refused('file.change', { path: at('link'), mode: 0o600 })).toBe('validation')
  })
})

describe('a directory that is made', () => {
  test('has the mode that was asked for, and may be there already only with parents', async () => {
    expect(await world.ask('file.mkdir', { path: at('a'), mode: 0o1777 })).toMatchObject({
      type: 'directory',
      mode: 0o1777,
    })
    expect(await refused('file.mkdir', { path: at('a') })).toBe('conflict')
    expect(await world.ask('file.mkdir', { path: at('a'), mode: 0o700, parents: true })).toMatchObject({ mode: 0o1777 })
    expect(await refused('file.mkdir', { path: at('b/c') })).toBe('not_found')
    expect(await world.ask('file.mkdir', { path: at('b/c'), parents: true })).toMatchObject({ type: 'directory' })
    await writeFile(at('file'), '')
    expect(await refused('file.mkdir', { path: at('file'), parents: true })).toBe('conflict')
  })
})

describe('a link that is made', () => {
  test('points where it was told, byte by byte, and replaces something only if it may', async () => {
    const target = Buffer.from([0x2e, 0xff])
    await world.ask('file.symlink', { path: at('link'), target: { base64: target.toString('base64') } })
    expect((await readlink(at('link'), { encoding: 'buffer' })).equals(target)).toBe(true)
    expect(await refused('file.symlink', { path: at('link'), target: 'other' })).toBe('conflict')
    expect(await world.ask('file.symlink', { path: at('link'), target: 'other', overwrite: true })).toMatchObject({
      target: 'other',
    })
    expect(await names()).toEqual(['link'])
  })
})

describe('a copy', () => {
  test('of a directory has everything in it, links as links', async () => {
    await fill(at('from'))
    await chmod(at('from/inner/file'), 0o711)
    expect(await refused('file.copy', { from: at('from'), to: at('to') })).toBe('validation')
    expect(await world.ask('file.copy', { from: at('from'), to: at('to'), recursive: true })).toMatchObject({
      type: 'directory',
    })
    expect(() => execFileSync('/usr/bin/diff', ['-r', '--no-dereference', at('from'), at('to')])).not.toThrow()
    expect((await stat(at('to/inner/file'))).mode & 0o777).toBe(0o711)
    expect(await readlink(at('to/inner/up'))).toBe('..')
  })

  test('replaces a file only if it may, and keeps it when it fails', async () => {
    await writeFile(at('from'), 'new')
    await writeFile(at('to'), 'old')
    expect(await refused('file.copy', { from: at('from'), to: at('to') })).toBe('conflict')
    expect(await readFile(at('to'), 'utf8')).toBe('old')
    await world.ask('file.copy', { from: at('from'), to: at('to'), overwrite: true })
    expect(await readFile(at('to'), 'utf8')).toBe('new')
    expect(await names()).toEqual(['from', 'to'])
  })

  test('into itself, onto itself, onto a directory, or of a device is refused', async () => {
    await mkdir(at('folder/inner'), { recursive: true })
    await writeFile(at('file'), '')
    expect(await refused('file.copy', { from: at('folder'), to: at('folder/inner/x'), recursive: true })).toBe(
      'validation',
    )
    expect(await refused('file.copy', { from: at('file'), to: at('folder/../file'), overwrite: true })).toBe('conflict')
    expect(await refused('file.copy', { from: at('file'), to: at('folder'), overwrite: true })).toBe('conflict')
    expect(await refused('file.copy', { from: '/dev/null', to: at('null') })).toBe('unsupported')
    expect(await refused('file.copy', { from: at('missing'), to: at('x') })).toBe('not_found')
  })

  test('of a file with holes has its size and its holes', async () => {
    {
      await using file = await open(at('sparse'), 'w')
      await file.truncate(40_000_000)
      await file.write('end', 39_999_997)
    }
    expect(await world.ask('file.copy', { from: at('sparse'), to: at('copy') })).toMatchObject({ size: 40_000_000 })
    expect(() => execFileSync('cmp', [at('sparse'), at('copy')])).not.toThrow()
    expect((await stat(at('copy'))).blocks * 512).toBeLessThan(2_000_000)
  })
})

describe('a move', () => {
  test('takes files, directories and links along, and replaces only if it may', async () => {
    await fill(at('from'))
    await writeFile(at('file'), 'file')
    expect(await refused('file.move', { from: at('from'), to: at('file'), recursive: true })).toBe('conflict')
    expect(await refused('file.move', { from: at('file'), to: at('from/inner/file') })).toBe('conflict')
    await world.ask('file.move', { from: at('from'), to: at('to'), recursive: true })
    await world.ask('file.move', { from: at('to/dangling'), to: at('link') })
    await world.ask('file.move', { from: at('file'), to: at('to/inner/file'), overwrite: true })
    expect(await readlink(at('link'))).toBe('nowhere')
    expect(await readFile(at('to/inner/file'), 'utf8')).toBe('file')
    expect((await readdir(world.folder)).sort()).toEqual(['link', 'to'])
  })

  test('onto another name of the same file leaves one, and onto itself changes nothing', async () => {
    await writeFile(at('one'), 'same')
    await link(at('one'), at('two'))
    await world.ask('file.move', { from: at('one'), to: at('two'), overwrite: true })
    expect(await names()).toEqual(['two'])
    expect(await refused('file.move', { from: at('two'), to: at('two'), overwrite: true })).toBe('conflict')
    expect(await readFile(at('two'), 'utf8')).toBe('same')
  })

  test('never replaces an empty directory unasked', async () => {
    await mkdir(at('from'))
    await mkdir(at('to'))
    expect(await refused('file.move', { from: at('from'), to: at('to'), recursive: true })).toBe('conflict')
    expect(await names()).toEqual(['from', 'to'])
  })
})

describe('a deletion', () => {
  test('follows no link, and counts what it removed', async () => {
    await fill(at('folder'))
    await mkdir(at('outside'))
    await writeFile(at('outside/precious'), 'kept')
    await symlink(at('outside'), at('folder/inner/way out'))
    await symlink(at('outside'), at('link'))
    expect(await refused('file.delete', { path: at('folder') })).toBe('conflict')
    expect(await world.ask('file.delete', { path: at('folder'), recursive: true })).toEqual({ removed: 8 })
    expect(await world.ask('file.delete', { path: at('link'), recursive: true })).toEqual({ removed: 1 })
    expect(await names()).toEqual(['outside', 'outside/precious'])
    expect(await world.ask('file.delete', { path: at('outside/precious') })).toEqual({ removed: 1 })
    expect(await world.ask('file.delete', { path: at('outside') })).toEqual({ removed: 1 })
  })

  test('of the root, however it is written, is refused', async () => {
    for (const path of ['/', '//', '/.', '/..', '/usr/..', `${world.folder}/.`])
      expect(await refused('file.delete', { path, recursive: true })).toBe('validation')
  })

  test('of what is not there is an error unless it may be missing', async () => {
    expect(await refused('file.delete', { path: at('missing') })).toBe('not_found')
    expect(await world.ask('file.delete', { path: at('missing'), missingOk: true })).toEqual({ removed: 0 })
  })

  test('goes deeper than a path may be long', async () => {
    // From the inside out, because no longer path than this can be given to the system.
    await mkdir(at('deep'))
    for (let depth = 0; depth < 60; depth += 1) {
      await mkdir(at('next'))
      await rename(at('deep'), join(at('next'), 'x'.repeat(200)))
      await rename(at('next'), at('deep'))
    }
    expect(await world.ask('file.delete', { path: at('deep'), recursive: true })).toEqual({ removed: 61 })
    expect(await names()).toEqual([])
  })
})

describe('a tree', () => {
  test('is listed parents first, links as themselves, the root by an empty path', async () => {
    await fill(at('root'))
    await symlink('root', at('link'))
    for (const path of [at('root'), at('link')]) {
      const { data, end } = await world.read(world.open('file.tree', { path }))
      const entries = data
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { path: string; pathBase64?: string; type: string; target?: string })
      expect(entries.map(({ path: below, type }) => `${below} ${type}`)).toEqual([
        ' directory',
        'dangling symlink',
        'inner directory',
        'inner/empty directory',
        'inner/file file',
        'inner/up symlink',
        '\u{fffd}\n file',
      ])
      expect(entries[6]?.pathBase64).toBe('/go=')
      expect(end).toEqual({ entries: 7, unreadable: [] })
    }
  })

  test('of a file is that file', async () => {
    await writeFile(at('file'), 'abc')
    const { data, end } = await world.read(world.open('file.tree', { path: at('file') }))
    expect(JSON.parse(data.toString())).toMatchObject({ path: '', type: 'file', size: 3 })
    expect(end).toMatchObject({ entries: 1 })
  })
})
