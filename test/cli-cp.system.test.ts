import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runCli, startCli } from './processes/cli.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { startWorld, type World } from './world.ts'

let world: World
let env: Record<string, string>
let folder = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})
const at = (name: string) => join(folder, name)
const cp = (...argv: string[]) => runCli(['cp', ...argv], env)

describe('cmdop cp', () => {
  test('copies a file up, down, and from one machine to another, and says nothing', async () => {
    const data = randomBytes(1_000_000)
    await writeFile(at('file'), data)
    const quiet = { code: 0, stdout: '', stderr: '' }
    expect(await cp(at('file'), `machine-0:${at('up')}`)).toEqual(quiet)
    await mkdir(at('folder'))
    expect(await cp(`machine-0:${at('up')}`, at('folder'))).toEqual(quiet)
    expect(await cp(`machine-0:${at('up')}`, `machine-1:${at('folder')}/other`)).toEqual(quiet)
    for (const name of ['up', 'folder/up', 'folder/other']) expect((await readFile(at(name))).equals(data)).toBe(true)
  })

  test('copies a tree with its times when asked, and prints one document with --json', async () => {
    await mkdir(at('tree/inner'), { recursive: true })
    await writeFile(at('tree/inner/file'), 'text')
    await utimes(at('tree/inner/file'), 1000, 1000)
    await mkdir(at('into'))
    const { code, stdout, stderr } = await cp('-r', '-p', '--json', at('tree'), `machine-0:${at('into')}`)
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      from: { machine: null, path: at('tree') },
      to: { machine: { name: 'machine-0' }, path: at('into/tree') },
      files: 1,
      directories: 2,
      bytes: 4,
      skipped: [],
    })
    expect((await stat(at('into/tree/inner/file'))).mtimeMs).toBeCloseTo(1_000_000, 0)
  })

  test('names what it does not copy, and exits with 1', async () => {
    await mkdir(at('tree'))
    await writeFile(at('tree/file'), '')
    await world.handle.exec(['mkfifo', at('tree/pipe')])
    const { code, stderr } = await cp('-r', `machine-0:${at('tree')}`, at('copy'))
    expect([code, stderr]).toEqual([1, 'cmdop: not copied: pipe (no file, directory or link)\n'])
    expect(await readdir(at('copy'))).toEqual(['file'])
  })

  test('tells what is wrong by its exit code', async () => {
    await writeFile(at('file'), '')
    await mkdir(at('folder'))
    expect((await cp(at('file'), at('copy'))).code).toBe(2)
    expect((await cp(at('file'), 'machine-0:relative')).code).toBe(2)
    expect((await cp(at('folder'), `machine-0:${at('x')}`)).code).toBe(2)
    expect((await cp(at('missing'), `machine-0:${at('x')}`)).code).toBe(4)
    expect((await cp('/dev/null', `machine-0:${at('x')}`)).code).toBe(2)
    expect((await cp(at('file'), `nobody:${at('x')}`)).code).toBe(4)
    const missing = await cp('--json', `machine-0:${at('missing')}`, at('x'))
    expect(missing.code).toBe(4)
    expect(JSON.parse(missing.stdout)).toMatchObject({ error: { code: 'not_found' } })
  })

  test('that is killed is gone on with by --resume, in a new process', async () => {
    const data = randomBytes(60_000_000)
    await writeFile(at('file'), data)
    await using proxy = await startTcpProxy(world.relay.url)
    for (const [source, target] of [
      [at('file'), `machine-0:${at('up')}`],
      [`machine-0:${at('file')}`, at('down')],
    ] as const) {
      const running = startCli(['cp', '--resume', source, target], { ...env, CMDOP_BASE_URL: proxy.url })
      const half = async () => (await readdir(folder)).find((name) => name.startsWith('.cmdop-'))
      await expect.poll(half, { timeout: 20_000 }).toBeDefined()
      const name = (await half()) ?? ''
      await expect.poll(async () => (await stat(at(name))).size, { timeout: 20_000 }).toBeGreaterThan(0)
      running.child.kill('SIGKILL')
      await running.done
      expect(await cp('--resume', source, target)).toMatchObject({ code: 0 })
      expect(await half()).toBeUndefined()
    }
    for (const name of ['up', 'down']) expect((await readFile(at(name))).equals(data)).toBe(true)
  })

  test('ends at ^C with 130, and leaves nothing on the machine', async () => {
    await using proxy = await startTcpProxy(world.relay.url)
    await writeFile(at('file'), randomBytes(80_000_000))
    const copying = startCli(['cp', at('file'), `machine-0:${at('up')}`], { ...env, CMDOP_BASE_URL: proxy.url })
    await expect.poll(async () => (await readdir(folder)).length, { timeout: 20_000 }).toBe(2)
    copying.child.kill('SIGINT')
    expect(await copying.done).toMatchObject({ code: 130 })
    await expect.poll(() => readdir(folder)).toEqual(['file'])
  })
})
