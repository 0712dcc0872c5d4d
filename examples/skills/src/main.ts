import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { scriptedModel } from '@cmdop/agent/testing'
import { createAgent, embedded, isCmdopError, readSkillFolder } from 'cmdop'
import { z } from 'zod'

await using local = await embedded()
const { client, machine } = local
const folder = fileURLToPath(new URL('../disk-usage', import.meta.url))

// Once: it is yours, and only your fleet sees it.
await client.skills.create('Disk usage')
const { version, sha256 } = await client.skills.publish('disk-usage', { files: await readSkillFolder(folder) })
assert.equal(version, '1.0.0')

const installed = await client.skills.install('disk-usage', { machine: machine.name, sha256 })
assert.deepEqual(installed.missing, { bins: [], env: [], versions: [] })
assert.equal(installed.check?.ok, true)

const Disks = z.object({
  full: z.array(z.string()),
  disks: z.array(z.object({ path: z.string(), usedPercent: z.number() })),
})
const { output } = await machine.skills.run(
  'disk-usage',
  'check',
  { paths: ['/'], maxPercent: 90 },
  { outputSchema: Disks },
)
for (const disk of output.disks) process.stdout.write(`${disk.path} is ${disk.usedPercent} % full\n`)

using model = scriptedModel([
  { calls: [{ tool: 'skill_list', input: {} }] },
  { calls: [{ tool: 'skill_read', input: { skill: 'disk-usage' } }] },
  { calls: [{ tool: 'skill_run', input: { skill: 'disk-usage', tool: 'check', input: { paths: ['/'] } } }] },
  { calls: [{ tool: 'final_result', input: { full: [] } }] },
])
const agent = createAgent({ machine, model })
const answer = await agent.run('Which disks are nearly full?', {
  outputSchema: z.object({ full: z.array(z.string()) }),
})
assert.deepEqual(answer.output.full, [])

// A byte more in one file of the skill on the machine: nothing of it is used any more.
const { folder: there } = await machine.skills.get('disk-usage')
await appendFile(`${there}/bin/disk-usage.mjs`, ' ')
const error = await machine.skills.run('disk-usage', 'check', { paths: ['/'] }).then(
  () => undefined,
  (reason: unknown) => reason,
)
assert(isCmdopError(error) && error.code === 'integrity')
