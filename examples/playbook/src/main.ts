import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'cmdop'
import deploy from './deploy.ts'

await using local = await embedded()
const { client, machine } = local
await client.machines.label(machine.id, { role: 'web' })
const folder = await mkdtemp(join(tmpdir(), 'cmdop-playbook-'))
const version = async () => (await readFile(join(folder, 'version'), 'utf8')).trim()
await writeFile(join(folder, 'version'), '1.0\n')

const report = await deploy.run(client, { on: 'role=web', inputs: { version: '2.0', folder } })
if (report.outcome !== 'ok') throw new Error(`${report.message}`)

assert.equal(await version(), '2.0')
assert.deepEqual(
  report.steps.map(({ step, outcome }) => `${step} ${outcome}`),
  ['before ok', 'switch ok', 'answers ok'],
)

// One that does not answer is taken back to what was there.
const bad = await deploy.run(client, { on: 'role=web', inputs: { version: '3.0', folder } })
assert.equal(bad.outcome, 'failed')
assert.deepEqual(
  bad.rollbacks.map(({ step, outcome }) => `${step} ${outcome}`),
  ['switch.rollback ok'],
)
assert.equal(await version(), '2.0')

// Going on with one that has ended does nothing again, and undoing it takes it back.
await deploy.resume(client, report.runId)
assert.equal(await version(), '2.0')
await deploy.undo(client, report.runId)
assert.equal(await version(), '1.0')
await rm(folder, { recursive: true })
