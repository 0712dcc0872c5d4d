import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { embedded } from 'cmdop'

await using local = await embedded()
const { client } = local

// Every night at 2:30 as Berlin has it, on every machine that is a web server then.
const nightly = await client.schedules.create({
  name: 'disk space',
  cronExpr: '30 2 * * *',
  timezone: 'Europe/Berlin',
  command: 'df -h /',
  targetKind: 'selector',
  selector: 'role=web',
  timeoutSeconds: 60,
  retries: 1,
  overlap: 'skip',
  missed: 'run_once',
})
assert.equal(nightly.isEnabled, true)

// Now, too, and on all machines. What is left out stays, and null is none.
await client.schedules.update(nightly.id, { targetKind: 'all_fleet_machines', description: null })
const { jobId } = await client.schedules.trigger(nightly.id)
const ended = async () => (await client.schedules.run(nightly.id, jobId)).finishedAt !== null
while (!(await ended())) await sleep(50)

const run = await client.schedules.run(nightly.id, jobId)
assert.equal(run.status, 'success')
for (const { machineName, status, exitCode, output } of run.results) {
  assert.deepEqual([status, exitCode], ['ok', 0], machineName)
  assert.match(output, /Filesystem/)
}

// Paused, it fires no more, and what passes meanwhile is not missed.
assert.equal((await client.schedules.update(nightly.id, { isEnabled: false })).nextRunAt, null)
for await (const { trigger } of client.schedules.iterRuns(nightly.id)) assert.equal(trigger, 'manual')
await client.schedules.delete(nightly.id)
