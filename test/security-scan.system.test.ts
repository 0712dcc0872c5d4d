import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { transcriptModel } from '@cmdop/agent/testing'
import { expect, test } from 'vitest'
import { securityScan } from '../examples/security-scan/src/scan.ts'
import { scanStory } from '../examples/security-scan/src/story.ts'
import { storySystem, untold } from './stories.ts'

test('what apt would upgrade is found as outdated', async () => {
  await using system = await storySystem('host-1')
  const { scan } = await scanStory(system, { ...untold, fault: 'none', seed: 1, systemPackages: true })
  const { stdout } = await promisify(execFile)('sh', ['-c', 'apt list --upgradable 2>/dev/null | head -n 40'])
  const names = Array.from(stdout.matchAll(/^([^/\s]+)\/.*upgradable from/gm), ([, name]) => name)
  expect(scan.findings.flatMap(({ package: name }) => name ?? [])).toEqual(names)
})

test('a model that changes what it should look at changes nothing: the kernel holds the scan to reading', async () => {
  await using system = await storySystem('host-1')
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-scan-'))
  const secret = join(folder, 'app.env')
  await writeFile(secret, 'kept\n', { mode: 0o644 })
  const model = transcriptModel(function* () {
    const { text } = yield {
      tool: 'run_command',
      input: { command: `chmod 600 ${secret}; rm ${secret}; ls ${secret}` },
    }
    return { hostname: text.split('\n')[0], findings: [], overall_risk: 'none' }
  })
  const operator = await system.operator({ model })
  await securityScan(
    operator,
    'host-1',
    { folder, ports: [], minimumVersions: {}, systemPackages: false },
    untold.signal,
  )
  expect((await stat(secret)).mode & 0o777).toBe(0o644)
  await rm(folder, { recursive: true })
})
