import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { embedded } from 'cmdop'
import { expect, test, vi } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startWorld } from './world.ts'

test('gives a client and this machine, and takes everything down with it', async () => {
  await using world = await startWorld({ machines: 0 })
  const temporary = await world.folder()
  vi.stubEnv('TMPDIR', temporary)
  const mark = newMark()
  {
    await using local = await embedded()
    const { stdout } = await local.machine.exec(['hostname'])
    expect(stdout.trim()).toBe(local.machine.hostname)
    expect((await local.client.machines.list()).items).toMatchObject([{ id: local.machine.id, presence: 'online' }])
    local.machine.exec(`sleep 300 # ${mark}`).exit.catch(() => {})
    await whenRunning(mark)
  }
  await whenGone(mark)
  expect(await readdir(temporary)).toEqual([])
  vi.unstubAllEnvs()
})

test('finds its machine and key again in a folder that is kept', async () => {
  await using world = await startWorld({ machines: 0 })
  const data = join(await world.folder(), 'state')
  const ids: string[] = []
  for (let start = 0; start < 2; start += 1) {
    await using local = await embedded({ data })
    ids.push(local.machine.id)
    expect((await local.machine.exec(['true'])).exitCode).toBe(0)
  }
  expect(ids[1]).toBe(ids[0])
  expect((await stat(join(data, 'owner-key'))).mode & 0o777).toBe(0o600)
})
