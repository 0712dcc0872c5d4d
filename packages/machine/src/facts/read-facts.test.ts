import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname, networkInterfaces, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Facts } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { parseMeminfo } from './memory.ts'
import { readFacts } from './read-facts.ts'

/** Within 5 % of what is expected. */
function expectClose(actual: number | undefined, expected: number): void {
  expect(actual).toBeGreaterThanOrEqual(expected * 0.95)
  expect(actual).toBeLessThanOrEqual(expected * 1.05)
}

test('the facts of a real machine hold to the schema, and whatever is null has its reason', async () => {
  const facts = await readFacts()
  expect(Facts.parse(facts)).toEqual(facts)
  const parts = ['load', 'memory', 'disks', 'services', 'ports', 'containers', 'processes'] as const
  const missing = parts.filter((part) => facts[part] === null)
  expect(facts.unavailable.map(({ fact }) => fact)).toEqual(expect.arrayContaining(missing))
})

test('the host name is what the system says', async () => {
  const { hostname: name } = await readFacts()
  expect(name).toBe(hostname())
  expect(name).toBe(execFileSync('uname', ['-n'], { encoding: 'utf8' }).trim())
})

test('an aborted signal rejects with its reason, before and during the reading', async () => {
  await expect(readFacts({ signal: AbortSignal.abort(new Error('not now')) })).rejects.toThrow('not now')
  const controller = new AbortController()
  const reading = readFacts({ signal: controller.signal })
  controller.abort(new Error('no more'))
  await expect(reading).rejects.toThrow('no more')
})

test('a part that takes longer than its time is null with that reason, and the others are there', async () => {
  // Shorter than the sample that processor times need.
  const facts = await readFacts({ partLimitMs: 150 })
  expect(facts.cpu.usedPercent).toBeNull()
  expect(facts.unavailable).toContainEqual({ fact: 'cpu.usedPercent', reason: 'timed out after 150 ms' })
  expect(facts.uptimeSeconds).toBeGreaterThan(0)
})

describe.runIf(platform() === 'linux')('on Linux', () => {
  test('memory is that of /proc/meminfo', async () => {
    const { memory } = await readFacts()
    const expected = parseMeminfo(await readFile('/proc/meminfo', 'utf8'))
    expect(memory?.totalBytes).toBe(expected?.totalBytes)
    expectClose(memory?.availableBytes, expected?.availableBytes ?? 0)
  })

  test('the disks are among those that df prints, and / is one of them with the same figures', async () => {
    const { disks } = await readFacts()
    const printed = parseDf(spawnSync('df', ['-kP'], { encoding: 'utf8' }).stdout)
    expect([...printed.keys()]).toEqual(expect.arrayContaining((disks ?? []).map(({ mount }) => mount)))
    const root = disks?.find(({ mount }) => mount === '/')
    const [total = 0, used = 0, available = 0, percent = 0] = printed.get('/') ?? []
    expectClose(root?.totalBytes, total * 1024)
    expectClose(root?.usedBytes, used * 1024)
    expectClose(root?.availableBytes, available * 1024)
    expect(Math.abs((root?.usedPercent ?? 0) - percent)).toBeLessThanOrEqual(1)
  })

  test('a network file system is asked in a program of its own, and one that does not answer is named', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'proc-'))
    await mkdir(join(folder.path, 'self'))
    const lines = ['1 0 0:50 / / rw - nfs4 server:/export rw', '2 1 0:51 / /no/such/mount rw - nfs4 server:/gone rw']
    await writeFile(join(folder.path, 'self/mountinfo'), lines.join('\n'))
    const [root] = (await readFacts()).disks?.filter(({ mount }) => mount === '/') ?? []
    const { disks, unavailable } = await readFacts({ procRoot: folder.path })
    expect(disks).toMatchObject([{ mount: '/', type: 'nfs4', totalBytes: root?.totalBytes }])
    expectClose(disks?.[0]?.availableBytes, root?.availableBytes ?? 0)
    expect(unavailable.map(({ fact }) => fact)).toContain('disks /no/such/mount')
  })

  test.each(loopbackAddresses())('a server that listens at %s appears with its port and owner', async (address) => {
    await using server = createServer()
    await once(server.listen(0, address), 'listening')
    const bound = server.address()
    const port = typeof bound === 'object' ? bound?.port : undefined
    const { ports, services } = await readFacts()
    expect(ports).toContainEqual({ protocol: 'tcp', address, port, process: 'node' })
    if (services?.source === 'listening-processes') expect(services.running).toContain('node')
  })

  test('this process is counted, and at most ten are described, busiest first', async () => {
    const { processes } = await readFacts()
    expect(processes?.total).toBeGreaterThan(1)
    const shares = processes?.top.map(({ cpuPercent }) => cpuPercent) ?? []
    expect(shares.length).toBeLessThanOrEqual(10)
    expect(shares).toEqual(shares.toSorted((left, right) => right - left))
  })

  test('every part whose kernel file is missing is null with a reason, never empty or zero', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'proc-'))
    const facts = await readFacts({ procRoot: folder.path })
    const parts = ['load', 'memory', 'disks', 'ports', 'processes'] as const
    for (const part of parts) {
      expect(facts[part]).toBeNull()
      expect(facts.unavailable).toContainEqual({ fact: part, reason: expect.stringContaining('no such file') })
    }
    expect(facts.cpu.usedPercent).toBeNull()
  })

  test('files of nonsense are reasons too', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'proc-'))
    await mkdir(join(folder.path, 'self'))
    for (const file of ['meminfo', 'stat', 'loadavg', 'self/mountinfo']) await writeFile(join(folder.path, file), '?\n')
    const facts = await readFacts({ procRoot: folder.path })
    expect(facts).toMatchObject({ memory: null, load: null, disks: null, processes: null, cpu: { usedPercent: null } })
    expect(facts.unavailable).toContainEqual({
      fact: 'memory',
      reason: '/proc/meminfo has no MemTotal or no MemAvailable',
    })
  })
})

/** 127.0.0.1, and ::1 where the machine has IPv6. */
function loopbackAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.filter(({ internal }) => internal).map(({ address }) => address)
}

/** Total, used, available and percent by mount point. */
function parseDf(text: string): Map<string, number[]> {
  const lines = text.matchAll(/^.+?\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(\/.*)$/gm)
  return new Map([...lines].map(([, ...columns]) => [columns[4] ?? '', columns.slice(0, 4).map(Number)]))
}
