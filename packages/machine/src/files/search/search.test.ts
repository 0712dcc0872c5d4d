import { mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FileWorld, startFileWorld } from '../../testing/file-calls.ts'
import { globToRegExp } from './glob.ts'

let world: FileWorld
const at = (name: string) => join(world.folder, name)
beforeAll(async () => {
  world = await startFileWorld()
  await mkdir(at('logs/old'), { recursive: true })
  await writeFile(at('logs/app.log'), 'start\nError: disk full\r\nend')
  await writeFile(at('logs/old/app.log.1'), 'error: again\n')
  await writeFile(at('logs/binary.log'), Buffer.from('Error\0'))
  await writeFile(at('logs/long.log'), `${'x'.repeat(100_000)}Error\n${'y'.repeat(2000)}Error\n`)
  await writeFile(Buffer.concat([Buffer.from(`${world.folder}/logs/`), Buffer.from([0xff])]), 'Error')
  await symlink('..', at('logs/up'))
  await symlink('logs', at('link'))
})
afterAll(() => world[Symbol.asyncDispose]())

interface Match {
  path: string
  pathBase64?: string
  line?: number
  text?: string
}

async function search(params: Record<string, unknown>) {
  const { data, end } = await world.read(world.open('file.search', { path: world.folder, ...params }))
  const lines = data.toString().split('\n').filter(Boolean)
  return { matches: lines.map((line) => JSON.parse(line) as Match), end }
}

describe('a search', () => {
  test('finds by name, in the whole tree, following no link', async () => {
    const { matches, end } = await search({ name: '*.log*' })
    expect(matches.map(({ path }) => path)).toEqual([
      'logs/app.log',
      'logs/binary.log',
      'logs/long.log',
      'logs/old/app.log.1',
    ])
    expect(end).toMatchObject({ matches: 4, truncated: false })
    expect((await search({ name: 'logs/*.log' })).matches).toHaveLength(3)
    expect((await search({ name: '**/*.1' })).matches).toHaveLength(1)
    expect((await search({ name: 'APP.LOG', ignoreCase: true })).matches).toHaveLength(1)
    expect((await search({ name: '*.log*', maxDepth: 2 })).matches).toHaveLength(3)
  })

  test('finds lines by text and by expression, and skips binary files', async () => {
    const { matches, end } = await search({ content: 'Error' })
    expect(matches.map(({ path, line }) => [path, line])).toEqual([
      ['logs/app.log', 2],
      ['logs/long.log', 2],
      ['logs/\u{fffd}', 1],
    ])
    expect(matches[0]?.text).toBe('Error: disk full')
    expect(matches[1]?.text).toBe('y'.repeat(500))
    expect(matches[2]?.pathBase64).toBe('bG9ncy//')
    expect(end).toMatchObject({ searchedFiles: 4, skippedFiles: 1 })
    expect((await search({ content: '^error:', regex: true })).matches.map(({ path }) => path)).toEqual([
      'logs/old/app.log.1',
    ])
    expect((await search({ content: 'ERROR', ignoreCase: true, name: '*.log' })).matches).toHaveLength(2)
    expect((await search({ content: 'a.*', regex: false })).matches).toEqual([])
  })

  test('stops at as many matches as are asked for, and says that there are more', async () => {
    expect((await search({ content: 'Error', maxMatches: 1 })).end).toMatchObject({ matches: 1, truncated: true })
    expect((await search({ content: 'Error', maxMatches: 3 })).end).toMatchObject({ matches: 3, truncated: false })
  })

  test('reads no file that is larger than asked for', async () => {
    expect((await search({ content: 'Error', maxFileBytes: 1000 })).end).toMatchObject({ skippedFiles: 2 })
  })

  test('of a file or a link searches what is there', async () => {
    expect((await search({ path: at('logs/app.log'), content: 'Error' })).matches).toMatchObject([
      { path: '', line: 2 },
    ])
    expect((await search({ path: at('link'), name: 'app.log' })).matches).toMatchObject([{ path: 'app.log' }])
    await expect(search({ path: at('missing'), name: '*' })).rejects.toMatchObject({ code: 'not_found' })
  })

  test('with an expression that takes for ever ends in bounded time', async () => {
    await writeFile(at('evil'), `${'a'.repeat(50)}!\n`)
    const params = { path: at('evil'), content: '^(a+)+$', regex: true }
    await expect(search(params)).rejects.toMatchObject({ code: 'validation' })
    expect((await search({ path: at('evil'), content: 'a', regex: true })).matches).toHaveLength(1)
  })

  test('with a name that takes for ever ends in bounded time', async () => {
    const name = 'a'.repeat(200)
    await mkdir(at('names'))
    await writeFile(at(`names/${name}`), '')
    const params = { path: at('names'), name: `${'*a'.repeat(40)}b` }
    await expect(search(params)).rejects.toMatchObject({ code: 'validation' })
    expect((await search({ ...params, name: '*a' })).matches).toHaveLength(1)
  })

  test('for nothing, or for no expression, is refused', async () => {
    await expect(search({})).rejects.toMatchObject({ code: 'validation' })
    await expect(search({ content: '(', regex: true })).rejects.toMatchObject({ code: 'validation' })
  })

  test('ends when nobody waits for it any more, and makes room for the next', async () => {
    await using huge = await open(at('huge'), 'w')
    await huge.write('text')
    await huge.truncate(40 * 2 ** 30)
    const params = { path: at('huge'), content: 'never', maxFileBytes: 2 ** 50 }
    // Its zeros are beyond where a binary file would show: it has 8 KiB of text first.
    await huge.write('x'.repeat(9000), 0)
    for (let round = 0; round < 2; round += 1) {
      const running = Array.from({ length: 4 }, () => world.open('file.search', params))
      await Promise.all(running.map((channel) => channel.accepted))
      await expect(search(params)).rejects.toMatchObject({ code: 'rate_limit' })
      await world.cut()
      await expect
        .poll(() =>
          search({ path: at('logs'), name: 'app.log' }).then(
            ({ matches }) => matches.length,
            () => 0,
          ),
        )
        .toBe(1)
    }
  })
})

test.each([
  ['*.log', 'a.log', true],
  ['*.log', 'a/b.log', false],
  ['**/b.log', 'b.log', true],
  ['**/b.log', 'a/c/b.log', true],
  ['a/**', 'a/b/c', true],
  ['a/***', 'a/b/c', true],
  [`${'**/'.repeat(300)}x`, 'a/'.repeat(60), false],
  [`${'*'.repeat(1000)}x`, 'a'.repeat(200), false],
  ['?.txt', 'a.txt', true],
  ['?.txt', '/.txt', false],
  ['[a-c]x', 'bx', true],
  ['[!a-c]x', 'bx', false],
  ['[]]', ']', true],
  ['[', '[', true],
  ['a.b', 'axb', false],
  ['a+(b)', 'a+(b)', true],
  ['*', 'line\nbreak', true],
])('the glob %s on %j: %s', (glob, name, matches) => {
  expect(globToRegExp(glob, { ignoreCase: false }).test(name)).toBe(matches)
})
