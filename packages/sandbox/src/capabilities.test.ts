import { mkdtemp, readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { probeCapabilities } from './capabilities.ts'
import { removeTree } from './remove-tree.ts'
import { HostProcess } from './starter/host-process.ts'
import { WarmHosts } from './starter/warm-hosts.ts'

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

test('a warm host is handed out once, and only for what it was started for', async () => {
  const probe = await HostProcess.start({ privilege, network: 'none' }).catch(() => undefined)
  await probe?.[Symbol.asyncDispose]()
  await using warm = new WarmHosts({ privilege, network: 'none' })
  await warm.ready()
  expect(await warm.take({ privilege, network: 'host' })).toBeUndefined()
  const taken = await warm.take({ privilege, network: 'none' })
  expect(taken !== undefined).toBe(probe !== undefined)
  await warm.ready()
  const next = await warm.take({ privilege, network: 'none' })
  expect(next === undefined ? undefined : next === taken).toBe(probe === undefined ? undefined : false)
  await taken?.[Symbol.asyncDispose]()
  await next?.[Symbol.asyncDispose]()
})
