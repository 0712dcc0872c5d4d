import { mkdtemp, readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { probeCapabilities } from './capabilities.ts'
import { removeTree } from './remove-tree.ts'
import { HostProcess } from './starter/host-process.ts'

const privilege = process.getuid?.() === 0 ? 'root' : 'user'

test('what is tried out is told as it is, with what is missing, and kept until the next boot', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-probe-'))
  const host = await HostProcess.start({ privilege, network: 'none' }).catch(() => undefined)
  await host?.[Symbol.asyncDispose]()
  const { restrictions, landlock } = await probeCapabilities(folder)
  expect(restrictions.dryRun.ok).toBe(host !== undefined)
  if (host === undefined)
    expect(restrictions.dryRun).toMatchObject({
      missing: expect.any(String),
      step: expect.any(String),
      fix: expect.any(String),
    })
  expect(restrictions.readOnly.ok).toBe(host !== undefined || landlock > 0)
  expect(restrictions.noSudo).toMatchObject({ ok: true })
  expect((await readdir(folder)).toSorted()).toEqual(['capabilities.json', 'tx'])
  const kept = await readFile(join(folder, 'capabilities.json'), 'utf8')
  expect(await probeCapabilities(folder)).toEqual(JSON.parse(kept).capabilities)
  await removeTree(folder)
})

test('a system that cannot hold any is told as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-probe-'))
  const system = { platform: 'win32', arch: 'x64', hasProcesses: false } as const
  const { restrictions } = await probeCapabilities(folder, system)
  for (const one of Object.values(restrictions))
    expect(one).toMatchObject({ ok: false, step: 'plan', errno: 'win32', fix: expect.stringContaining('Linux') })
  await removeTree(folder)
})
