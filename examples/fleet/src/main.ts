import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFleet, embedded } from 'cmdop'
import { z } from 'zod'

await using local = await embedded()
const { client, machine } = local
await client.machines.label(machine.id, { role: 'web', zone: 'a' })

const fleet = createFleet(client, 'role=web,env!=dev')
const report = await fleet.exec('uptime', {
  waves: [1, '25%', '100%'], // one first, then parts of all
  maxFailures: '5%', // stop when more than that fail, unreachable ones included
  concurrency: { total: 50, per: { zone: 10 } },
  timeoutMs: 30_000, // held by each machine itself
  check: ({ rows }) => (rows.every(({ outcome }) => outcome === 'ok') ? 'go' : 'stop'),
})
for (const { machine, outcome, result, error } of report.rows) {
  if (outcome !== 'ok') throw new Error(`${machine.name}: ${outcome}: ${error?.message ?? result?.stderr}`)
}

assert.equal(report.ok, true)
assert.equal(report.counts.ok, 1)

// What was not done is gone on with, also after the script was killed; what ran is not run again.
const again = await fleet.resume(report.runId, { check: () => 'go' })
assert.deepEqual(again.rows[0]?.result, report.rows[0]?.result)

// An operator on each machine. Without a key of a provider it is the built-in model, which answers from what the machine is.
const hosts = await fleet.run('Which host is this, and how much memory has it?', {
  outputSchema: z.object({ hostname: z.string(), memory_total_bytes: z.number() }),
  budget: { perMachine: { steps: 10 }, total: { steps: 500 } },
  waves: [1, '100%'],
})
for (const { machine, result } of hosts.rows)
  process.stdout.write(`${machine.name}: ${result?.output?.hostname}, ${result?.steps} steps, ${result?.cost} USD\n`)

assert.equal(hosts.ok, true)

const folder = await mkdtemp(join(tmpdir(), 'cmdop-fleet-'))
const path = (name: string) => join(folder, name)
await writeFile(path('motd'), 'Welcome\n')

// The same content to each machine, or `conflict`; and a file of each machine back.
const copied = await fleet.copy(path('motd'), path('etc/motd'), { createParents: true, waves: [1, '25%'] })
const [first] = copied.rows
process.stdout.write(`${first?.result?.bytes} bytes, SHA-256 ${first?.result?.sha256}\n`)
const collected = await fleet.collect(path('etc/motd'), path('collected'))
assert.equal(await readFile(join(path('collected'), machine.name), 'utf8'), 'Welcome\n')

assert.equal(copied.ok && collected.ok, true)

// Where it failed, where it is not known, and nowhere else; but not in the zone b.
const rest = createFleet(client, {
  allOf: [{ run: report, outcomes: ['failed', 'timeout', 'lost', 'unknown'] }, { not: 'zone=b' }],
})
assert.deepEqual(await rest.preview({ allowEmpty: true }), [])
await rm(folder, { recursive: true })
