import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFleet } from '@cmdop/fleet'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
let folder: string
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})
const at = (...names: string[]) => join(folder, ...names)
const names = ['machine-0', 'machine-1', 'machine-2']

test('a file is copied to a path of each machine, in waves, with its bytes and SHA-256 in the row', async () => {
  const content = randomBytes(300_000)
  await writeFile(at('app.bin'), content)
  const report = await createFleet(world.client, '*').copy(at('app.bin'), ({ name }) => at('out', name, 'app.bin'), {
    createParents: true,
    waves: [1, '100%'],
  })
  expect(report).toMatchObject({ ok: true, counts: { ok: 3 } })
  const sha256 = createHash('sha256').update(content).digest('hex')
  for (const { machine, wave, result } of report.rows) {
    expect(wave).toBe(machine.name === 'machine-0' ? 1 : 2)
    expect(result).toMatchObject({ bytes: 300_000, files: 1, sha256, skipped: [] })
    expect((await readFile(at('out', machine.name, 'app.bin'))).equals(content)).toBe(true)
  }
  const { kind, title } = await world.client.fleetRuns.get(report.runId)
  expect({ kind, title }).toEqual({ kind: 'copy', title: 'Copy app.bin to a path of each machine' })
})

test('a directory is copied whole, and one digest says of all machines that they have the same', async () => {
  await mkdir(at('site', 'css'), { recursive: true })
  await writeFile(at('site', 'index.html'), '<p>hello')
  await writeFile(at('site', 'css', 'all.css'), 'p{}')
  const fleet = createFleet(world.client, '*')
  await expect(fleet.copy(at('site'), at('out'))).rejects.toMatchObject({ code: 'validation' })
  const report = await fleet.copy(at('site'), ({ name }) => at(`out-${name}`), { recursive: true })
  expect(report.rows.map(({ result }) => [result?.files, result?.bytes])).toEqual([
    [2, 11],
    [2, 11],
    [2, 11],
  ])
  expect(new Set(report.rows.map(({ result }) => result?.sha256)).size).toBe(1)
  for (const name of names) expect(await readFile(at(`out-${name}`, 'css', 'all.css'), 'utf8')).toBe('p{}')
})

test('a copy that stopped goes on with the machines left, and only with what it began with', async () => {
  await writeFile(at('app'), 'version 1')
  const fleet = createFleet(world.client, '*')
  const stopped = await fleet.copy(at('app'), ({ name }) => at(name), { waves: [1], check: () => 'stop' })
  expect(stopped.counts).toMatchObject({ ok: 1, skipped: 2 })
  await writeFile(at('app'), 'version 2')
  const go = { check: () => 'go' as const }
  await expect(fleet.resume(stopped.runId, go)).rejects.toMatchObject({ code: 'conflict' })
  expect((await readdir(folder)).sort()).toEqual(['app', 'machine-0'])
  await writeFile(at('app'), 'version 1')
  expect(await fleet.resume(stopped.runId, go)).toMatchObject({ ok: true, counts: { ok: 3 } })
  for (const name of names) expect(await readFile(at(name), 'utf8')).toBe('version 1')
})

test('what is written to between two waves reaches no further machine', async () => {
  await writeFile(at('app'), 'version 1')
  const report = await createFleet(world.client, '*').copy(at('app'), ({ name }) => at(name), {
    waves: [1, 2],
    check: async () => {
      await writeFile(at('app'), 'something else')
      return 'go' as const
    },
  })
  expect(report.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['ok', undefined],
    ['failed', 'conflict'],
    ['failed', 'conflict'],
  ])
  expect((await readdir(folder)).sort()).toEqual(['app', 'machine-0'])
})

test('what is there already is not sent again, and a retry copies where it failed', async () => {
  await writeFile(at('app'), 'content')
  await mkdir(at('machine-1'))
  const fleet = createFleet(world.client, '*')
  const first = await fleet.copy(at('app'), ({ name }) => at(name))
  expect(first.rows.map(({ outcome }) => outcome)).toEqual(['ok', 'failed', 'ok'])
  await rm(at('machine-1'), { recursive: true })
  expect(await fleet.retry(first.runId, { outcomes: ['failed'] })).toMatchObject({ ok: true })
  const again = await fleet.copy(at('app'), ({ name }) => at(name))
  expect(again.rows.map(({ result }) => Object(result).unchangedBytes)).toEqual([7, 7, 7])
})

test('files are collected from the machines, each below the name of its machine', async () => {
  const fleet = createFleet(world.client, '*')
  for (const name of names) await writeFile(at(`${name}.log`), `log of ${name}`)
  await rm(at('machine-2.log'))
  const runId = randomUUID()
  const report = await fleet.collect(({ name }) => at(`${name}.log`), at('logs'), { runId })
  expect(report.rows.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['ok', undefined],
    ['ok', undefined],
    ['failed', 'not_found'],
  ])
  expect(await readFile(at('logs', 'machine-0'), 'utf8')).toBe('log of machine-0')
  expect(report.rows[0]?.result?.sha256).toBe(createHash('sha256').update('log of machine-0').digest('hex'))
})
