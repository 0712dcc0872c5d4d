import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockFolder } from './lock.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('a lock', () => {
  test('is held by one, and free again after it', async () => {
    {
      await using lock = await lockFolder(folder)
      expect(lock).toBeDefined()
      expect((await stat(join(folder, 'daemon.lock'))).mode & 0o777).toBe(0o600)
      await expect(lockFolder(folder)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining(`process ${process.pid}`),
      })
    }
    await using again = await lockFolder(folder)
    expect(again).toBeDefined()
    expect(await readdir(folder)).toEqual(['daemon.lock'])
  })

  test('is given to one of many that come at once, also where a dead one held it', async () => {
    for (const left of [undefined, '4194300 17', `${process.pid} 17`]) {
      if (left !== undefined) await writeFile(join(folder, 'daemon.lock'), left)
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)))
      const held = results.filter((result) => result.status === 'fulfilled')
      expect(held).toHaveLength(1)
      await held[0]?.value[Symbol.asyncDispose]()
    }
  })

  test('of a process that is gone, of another one with its id, or without content, is taken over', async () => {
    for (const left of ['4194300 17', `${process.pid} 17`, '', 'nonsense']) {
      await writeFile(join(folder, 'daemon.lock'), left)
      await using lock = await lockFolder(folder)
      expect(lock).toBeDefined()
      expect(await readFile(join(folder, 'daemon.lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+$`))
    }
  })

  test('makes a folder that is missing, for its owner only', async () => {
    const inner = join(folder, 'a', 'b')
    await using lock = await lockFolder(inner)
    expect(lock).toBeDefined()
    expect((await stat(inner)).mode & 0o777).toBe(0o700)
  })

  test('in a place that cannot be written is a `config` error', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(lockFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'config' })
    await expect(lockFolder(join(folder, 'file', 'inner'))).rejects.toMatchObject({ code: 'config' })
  })
})
