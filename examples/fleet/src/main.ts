import assert from 'node:assert/strict'
import { createFleet, embedded } from 'cmdop'

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
