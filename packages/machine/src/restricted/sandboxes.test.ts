import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Sandboxes } from './sandboxes.ts'

test('what the machine can hold is found out once for all who ask meanwhile, and to its end before the sandboxes are closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-sandboxes-'))
  const sandboxes = new Sandboxes(folder, [])
  const answered: unknown[] = []
  const asked = [sandboxes.capabilities(), sandboxes.capabilities()]
  for (const each of asked) void each.then((capabilities) => answered.push(capabilities))
  await sandboxes[Symbol.asyncDispose]()
  expect((await readdir(folder)).filter((name) => name.startsWith('probe-'))).toEqual([])
  const [one, other] = await Promise.all(asked)
  expect(one).toEqual(other)
  expect(answered).toHaveLength(2)
  await rm(folder, { recursive: true })
})
