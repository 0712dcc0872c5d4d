import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeTree } from './remove-tree.ts'
import { viewSize, watchSize } from './view-size.ts'

const MB = 1_048_576
let upper: string

beforeEach(() => {
  upper = mkdtempSync(join(tmpdir(), 'cmdop-view-size-'))
})
afterEach(() => removeTree(upper))

const size = () => viewSize({ layers: [{ root: '/', upper }] })

test('a file counts whatever bytes its name has, and the limit holds for it', async () => {
  writeFileSync(Buffer.concat([Buffer.from(`${upper}/`), Buffer.from([0xff])]), Buffer.alloc(30 * MB))
  expect(await size()).toBeGreaterThanOrEqual(30 * MB)
  const { promise, resolve } = Promise.withResolvers<void>()
  const watch = watchSize([upper], MB, resolve)
  await promise
  watch[Symbol.dispose]()
})

test('what is in a directory that commands closed counts, and the directory stays closed', async () => {
  const closed = join(upper, 'closed')
  mkdirSync(join(closed, 'inner'), { recursive: true })
  writeFileSync(join(closed, 'inner', 'f'), Buffer.alloc(2 * MB))
  chmodSync(join(closed, 'inner'), 0)
  chmodSync(closed, 0)
  expect(await size()).toBeGreaterThanOrEqual(2 * MB)
  expect(statSync(closed).mode & 0o777).toBe(0)
})

test('what is deeper than any path reaches counts', async () => {
  const deep = `const fs = require('node:fs'); const name = 'd'.repeat(200)
    for (let at = 0; at < 30; at++) { fs.mkdirSync(name); process.chdir(name) }
    fs.writeFileSync('f', Buffer.alloc(${2 * MB}))`
  execFileSync(process.execPath, ['-e', deep], { cwd: upper })
  expect(await size()).toBeGreaterThanOrEqual(2 * MB)
})

test('holes take no room, and what is gone counts nothing', async () => {
  writeFileSync(join(upper, 'holes'), '')
  truncateSync(join(upper, 'holes'), 100 * MB)
  expect(await size()).toBeLessThan(MB)
  expect(readdirSync(upper)).toEqual(['holes'])
  rmSync(upper, { recursive: true })
  expect(await size()).toBe(0)
})
