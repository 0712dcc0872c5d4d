import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startTmux } from './processes/tmux.ts'
import { startWorld } from './world.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

test('cmdop machine pin set shows nothing of what is typed, and asks for it twice', async () => {
  await using world = await startWorld()
  await using tmux = startTmux({ columns: 100, rows: 30 })
  const { dataDir } = world.machine
  const argv = [process.execPath, '--conditions=@cmdop/source', main, 'machine', 'pin', 'set', '--data', dataDir]
  const set = async (first: string, second: string) => {
    const terminal = await tmux.open(['/bin/sh'], { HOME: dataDir, PATH: process.env['PATH'] ?? '' })
    await terminal.type(`${argv.join(' ')}\n`)
    await terminal.until('PIN:')
    await terminal.type(`${first}\n`)
    await terminal.until('The same again:')
    await terminal.type(`${second}\n`)
    return terminal
  }
  const pin = () => readFile(join(dataDir, 'pin.json'), 'utf8').catch(() => undefined)
  const refused = await set('right-pin', 'other-pin')
  await refused.until('not the same')
  expect(await pin()).toBeUndefined()
  const done = await set('right-pin', 'right-pin')
  await done.until('the PIN is set')
  expect(await pin()).toContain('hash')
  for (const terminal of [refused, done]) expect(await terminal.screen()).not.toMatch(/right-pin|other-pin/)
})
